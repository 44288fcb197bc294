//go:build linux

package proc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// Everything that is read of a process is read although its first thread has ended.
func TestFirstThreadHasEnded(t *testing.T) {
	need.Root(t)
	program := filepath.Join(t.TempDir(), "firstends")
	build := exec.Command("go", "build", "-o", program, "./testdata/firstends")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var address uint64
	if _, err := fmt.Fscanf(stdout, "%v\n", &address); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	before, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !threadHasEnded(pid, pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first thread has not ended")
		}
	}
	after, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	if after.thread == 0 || after.thread == pid {
		t.Errorf("opened by thread %d, want one that has not ended", after.thread)
	}
	for name, p := range map[string]*Process{"opened before": {PID: pid, NSPID: pid, StartTime: before.StartTime}, "opened after": after} {
		t.Run(name, func(t *testing.T) {
			mappings, err := p.Mappings()
			if err != nil || len(mappings) == 0 {
				t.Fatalf("mappings %v, %v", mappings, err)
			}
			f, err := p.OpenMapping(mappings[0])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Path() != program || f.root == nil {
				t.Errorf("opened %s in root %v, want %s", f.Path(), f.root, program)
			}
			if text, err := p.Cmdline(); string(text) != program+"\x00" {
				t.Errorf("arguments %q, %v", text, err)
			}
			if _, err := KubeletDir(pid); err != nil {
				t.Error(err)
			}
			handle, err := p.OpenHandle()
			if err != nil {
				t.Fatal(err)
			}
			defer handle.Close()
			if err := handle.VerifyRunning(); err != nil {
				t.Error(err)
			}
			memory, err := p.OpenAddressSpace()
			if err != nil {
				t.Fatal(err)
			}
			defer memory.Close()
			expectMemory(t, pid, memory, address)
			if err := p.WhileAllStopped(func() error { return WriteMemory(pid, address, []byte{9}) }); err != nil {
				t.Error(err)
			}
			if err := memory.Write(address, []byte{1}); err != nil {
				t.Error(err)
			}
			expectMemory(t, pid, memory, address)
		})
	}
}

// expectMemory reads the program's word in all ways.
func expectMemory(t *testing.T, pid int, memory *AddressSpace, address uint64) {
	t.Helper()
	want := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for name, read := range map[string]func([]byte) error{
		"ReadMemory":        func(b []byte) error { return ReadMemory(pid, address, b) },
		"AddressSpace.Read": func(b []byte) error { return memory.Read(address, b) },
		"TryReadMemoryParts": func(b []byte) error {
			_, err := TryReadMemoryParts(pid, []MemoryPart{{address, b}})
			return err
		},
	} {
		got := make([]byte, len(want))
		if err := read(got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
