//go:build linux

package symbol

import (
	"debug/elf"
	"fmt"
	"slices"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// All locations in a function without a name have one function in the profile, and keep their own
// addresses.
func TestUnknownFunctionsMerge(t *testing.T) {
	program := compile(t, "-g")
	code := functionRange(t, program, "hidden")
	run(t, "strip", program)
	f := openPath(t, program)
	n := openFile(f, nil)
	m := &profile.Mapping{ID: 1, Start: 0x7f0000000000, Limit: 0x7f0000010000, File: "/app/shapes"}
	segment := slices.IndexFunc(n.file.Segments, func(p *elf.Prog) bool { return p.Vaddr <= code[0] && code[0] < p.Vaddr+p.Memsz })
	offset := code[0] - n.file.Segments[segment].Vaddr + n.file.Segments[segment].Off
	p := profileAt(m, m.Start+offset, m.Start+offset+1, m.Start+offset+uint64(len(code))-1)
	if err := Symbolize(p, func(*profile.Mapping) *proc.File { return f }, noPerfMap); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("[shapes+%#x]", offset)
	if got := names(p); !slices.Equal(got, []string{want, want, want}) || len(p.Function) != 1 {
		t.Errorf("got %v, %d functions, want one, %s", got, len(p.Function), want)
	}
	if m.HasFunctions || p.Location[1].Address != m.Start+offset+1 {
		t.Error("pprof would not look for the names itself")
	}
}
