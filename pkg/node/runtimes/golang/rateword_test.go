//go:build linux

package golang

import (
	"errors"
	"io"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// rateWordOf returns the word of a program that was built without a memory profile.
func rateWordOf(t *testing.T, r *Runtime) rateWord {
	t.Helper()
	address, err := r.variable("runtime.MemProfileRate")
	if err != nil {
		t.Fatal(err)
	}
	word, err := openRateWord(r, address, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { word.close() })
	return word
}

// withoutMemory returns the word as it is if the process's memory may not be opened.
func (w rateWord) withoutMemory() rateWord {
	w.memory = nil
	return w
}

// The word can be written through the opened memory and while the process is stopped.
func TestRateWord(t *testing.T) {
	r, _, _ := start(t, build(t, "local", "amd64", "execs", "-ldflags=-s"))
	opened := rateWordOf(t, r)
	for name, word := range map[string]rateWord{"opened": opened, "stopped": opened.withoutMemory()} {
		t.Run(name, func(t *testing.T) {
			for _, rate := range []int64{4096, 4096, 0, 0} { // if it has the value already, it stays
				old := 4096 - rate
				if err := word.replace(uint64(old), uint64(rate)); err != nil {
					t.Fatal(err)
				}
				if now, err := r.memProfileRate(); err != nil || now != rate {
					t.Errorf("the rate is %d (%v), want %d", now, err, rate)
				}
			}
			if !word.exists() {
				t.Error("the word does not exist")
			}
		})
	}
}

// After the process has executed a program, the word at the same address is not written, although
// the PID, the start time, the file and the value are the same.
func TestRateWordAfterExec(t *testing.T) {
	r, stdin, stderr := start(t, build(t, "local", "amd64", "execs", "-ldflags=-s"))
	opened := rateWordOf(t, r)
	if err := opened.replace(0, 4096); err != nil {
		t.Fatal(err)
	}
	io.WriteString(stdin, "x")
	expect(t, stderr, "executed\n")
	if rate, err := r.memProfileRate(); err != nil || rate != 4096 {
		t.Fatalf("the executed program has the rate %d (%v), so this test proves nothing", rate, err)
	}
	for name, word := range map[string]rateWord{"opened": opened, "stopped": opened.withoutMemory()} {
		if err := word.replace(4096, 0); !errors.Is(err, proc.ErrMemoryGone) {
			t.Errorf("%s: got %v", name, err)
		}
		if word.exists() {
			t.Errorf("%s: the word still exists", name)
		}
		io.WriteString(stdin, "x")
		expect(t, stderr, "4096\n")
	}
}
