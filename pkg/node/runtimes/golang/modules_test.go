//go:build linux

package golang

import (
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// linkedMemory has, in each part that is read, the word of its address, again and again.
type linkedMemory map[uint64]uint64

func (m linkedMemory) Read(parts ...proc.MemoryPart) error {
	for _, p := range parts {
		for at := 0; at < len(p.Bytes); at += 8 {
			binary.LittleEndian.PutUint64(p.Bytes[at:], m[p.Address])
		}
	}
	return nil
}

// Every module is in one group, whatever the links between them.
func TestGroupByRuntime(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	exe, err := object.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	table, err := gopclntab.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]module, 4)
	for i := range all {
		all[i] = module{exe: exe, table: table, bias: uint64(i) << 32}
	}
	for name, c := range map[string]struct {
		links map[int]int
		want  [][]int
	}{
		"no links":               {nil, [][]int{{0}, {1}, {2}, {3}}},
		"one list":               {map[int]int{2: 0, 0: 3, 3: 1}, [][]int{{2, 0, 3, 1}}},
		"two lists":              {map[int]int{0: 1, 3: 2}, [][]int{{0, 1}, {3, 2}}},
		"a circle and others":    {map[int]int{0: 1, 1: 0}, [][]int{{0, 1}, {2}, {3}}},
		"a circle of all":        {map[int]int{0: 1, 1: 2, 2: 3, 3: 0}, [][]int{{0, 1, 2, 3}}},
		"a link to itself":       {map[int]int{1: 1}, [][]int{{0}, {1}, {2}, {3}}},
		"two links to a module":  {map[int]int{0: 2, 1: 2}, [][]int{{0, 2}, {1}, {3}}},
		"a list into its middle": {map[int]int{0: 1, 1: 2, 2: 1}, [][]int{{0, 1, 2}, {3}}},
	} {
		t.Run(name, func(t *testing.T) {
			memory := linkedMemory{}
			for from, to := range c.links {
				memory[all[from].data()] = all[to].data()
			}
			groups, err := groupByRuntime(all, memory)
			if err != nil {
				t.Fatal(err)
			}
			var got [][]int
			for _, group := range groups {
				var numbers []int
				for _, m := range group {
					numbers = append(numbers, int(m.bias>>32))
				}
				got = append(got, numbers)
			}
			if !cmp.Equal(got, c.want) {
				t.Errorf("groups %v, want %v", got, c.want)
			}
		})
	}
}

// No file is opened after the time for that has passed, and the error says so.
func TestOpeningModulesEnds(t *testing.T) {
	p, err := proc.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	mappings, err := p.Mappings()
	if err != nil {
		t.Fatal(err)
	}
	if all, err := openModules(p, mappings, time.Now()); len(all) > 0 || err == nil || !strings.Contains(err.Error(), "longer than 20s") {
		t.Errorf("%d modules and %v", len(all), err)
	}
}

// A program whose main function has ended by runtime.Goexit is not a library.
func TestGoexitInMain(t *testing.T) {
	for _, flag := range []string{"-ldflags=-s", "-buildmode=pie"} {
		r, _, _ := start(t, build(t, "local", runtime.GOARCH, "goexit", flag))
		gs, err := r.GoroutineReader()
		if err != nil {
			t.Fatal(err)
		}
		if gs.InLibrary {
			t.Errorf("%s: the program counts as a library", flag)
		}
	}
}
