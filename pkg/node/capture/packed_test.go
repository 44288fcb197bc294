//go:build linux

package capture_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// pack returns a program that runs the given static one from anonymous memory and has the marks of UPX.
func pack(t *testing.T, program string) string {
	t.Helper()
	packed := filepath.Join(t.TempDir(), "packed")
	// The address is one that the program does not use.
	cmd := exec.Command("gcc", "-O1", "-static", "-no-pie", "-Wl,-Ttext-segment=0x70000000", "-o", packed, "testdata/packed.c")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
	file, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	clear(file[40:48]) // e_shoff
	clear(file[60:64]) // e_shnum, e_shstrndx
	file = binary.LittleEndian.AppendUint64(append(file, payload...), uint64(len(payload)))
	file = append(append(file, "UPX!"...), make([]byte, 32)...)
	if err := os.WriteFile(packed, file, 0o755); err != nil {
		t.Fatal(err)
	}
	return packed
}

// A packed Go program has stacks without names, and the comments name the packer. Its own profiles are refused with the reason.
func TestPackedProgram(t *testing.T) {
	need.Root(t)
	s := start(t, pack(t, buildGo(t, "local", "-ldflags=-s", "goprofiles")), "busy")
	const reason = "packed by UPX"
	if _, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute); err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("heap: %v; want %q", err, reason)
	}
	p := sampleFor(t, s, 199, time.Second/2)
	if comments := strings.Join(p.Comments, "\n"); !strings.Contains(comments, reason) {
		t.Errorf("no comment has %q: %s", reason, comments)
	}
	deep := 0
	for _, s := range p.Sample {
		if n := strings.Count(names(s), "[anon]"); n > 2 {
			deep++
		}
	}
	if deep == 0 {
		t.Errorf("no stack of %d in the packed program has callers", len(p.Sample))
	}
}
