//go:build linux

package verify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/record"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/stack"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes"
)

// fakeTables reports the same for all mappings.
type fakeTables bool

func (f fakeTables) HasTable(*process.Mapping) bool { return bool(f) }

func (f fakeTables) Is32Bit(*process.Mapping) bool { return false }

func (f fakeTables) Code(*process.Mapping) runtimes.Code { return nil }

func TestCheckEnd(t *testing.T) {
	running := &process.Generation{Process: &proc.Process{}, Mappings: []process.Mapping{
		{Mapping: proc.Mapping{Start: 0x1000, End: 0x2000, Path: "/web"}},
	}}
	exited := &process.Generation{Process: &proc.Process{}}
	user := record.Stack{0x1010, 0x1021}
	checked := record.Stack{0x1010, 0x1020}
	cases := []struct {
		name       string
		generation *process.Generation
		tables     fakeTables
		sample     record.Sample
		want       record.Stack
		end        stack.End
		early      int64
		astray     map[string]int64
	}{
		{"not walked", running, true, record.Sample{User: user, End: bpf.CPUWalkEndEND_NOT_WALKED}, nil, stack.NotWalked, 0, nil},
		{"process exited", exited, true, record.Sample{User: user, End: bpf.CPUWalkEndEND_ROOT}, nil, stack.Complete, 0, nil},
		{"root", running, true, record.Sample{User: user, End: bpf.CPUWalkEndEND_ROOT, HasTables: true}, checked, stack.Complete, 0, nil},
		{"truncated", running, true, record.Sample{User: user, End: bpf.CPUWalkEndEND_TRUNCATED, HasTables: true}, checked, stack.Truncated, 0, nil},
		{"no user stack", running, true, record.Sample{End: bpf.CPUWalkEndEND_NO_CALLER, HasTables: true}, record.Stack{}, stack.Complete, 0, nil},
		{"no caller", running, false, record.Sample{User: user, End: bpf.CPUWalkEndEND_NO_CALLER}, checked, stack.Broken, 0, map[string]int64{"/web": 1}},
		{"table not loaded yet", running, true, record.Sample{User: user, End: bpf.CPUWalkEndEND_NO_CALLER}, checked, stack.Broken, 1, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checker := NewChecker(c.tables)
			got, end := checker.Check(c.generation, &c.sample)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("stack (-want +got):\n%s", diff)
			}
			if end != c.end || checker.Early != c.early {
				t.Errorf("end %d and %d early, want %d and %d", end, checker.Early, c.end, c.early)
			}
			if len(checker.Astray) != len(c.astray) || checker.Astray["/web"] != c.astray["/web"] {
				t.Errorf("astray %v, want %v", checker.Astray, c.astray)
			}
		})
	}
}

func TestEndsWithCallAMD64(t *testing.T) {
	cases := []struct {
		name string
		code []byte // the last bytes before the return address
		want bool
	}{
		{"CALL rel32", []byte{0xe8, 1, 2, 3, 4}, true},
		{"CALL rax", []byte{0xff, 0xd0}, true},
		{"CALL [rax+8]", []byte{0xff, 0x50, 8}, true},
		{"CALL [rip+disp32]", []byte{0xff, 0x15, 1, 2, 3, 4}, true},
		{"CALL [rax+rcx*8+disp32]", []byte{0xff, 0x94, 0xc8, 1, 2, 3, 4}, true},
		{"JMP rax", []byte{0xff, 0xe0}, false},
		{"NOP", []byte{0x90}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code := append(make([]byte, 8-len(c.code)), c.code...)
			if got := endsWithCallAMD64(code); got != c.want {
				t.Errorf("% x: %v, want %v", code, got, c.want)
			}
		})
	}
}
