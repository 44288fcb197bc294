//go:build linux

package golang

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"testing"
	"time"
)

// start runs a program until it prints "ready" on stderr with println, and opens its runtime.
func start(t testing.TB, path string) (r *Runtime, stdin io.Writer, stderr *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	stderr = bufio.NewReader(out)
	expect(t, stderr, "ready\n")
	return openOne(t, cmd.Process.Pid), in, stderr
}

// expect fails the test unless the program's next line is want.
func expect(t testing.TB, r *bufio.Reader, want string) {
	t.Helper()
	if line, err := r.ReadString('\n'); line != want {
		t.Fatalf("the program printed %q (%v), want %q", line, err, want)
	}
}

// A program that allocates, starts goroutines and moves their stacks at full speed survives 2,000
// reads of its memory profile and turning the profile on and off 1,000 times.
func TestMemProfileOfBusyProgram(t *testing.T) {
	for _, flag := range []string{"-ldflags=-s", "-race"} {
		t.Run(flag, func(t *testing.T) {
			r, stdin, stderr := start(t, build(t, "local", "amd64", "hammer", flag))
			if err := r.checkRateVariable(); err == nil {
				t.Error("a variable was verified before it was looked up")
			}
			word := rateWordOf(t, r)
			if err := r.checkRateVariable(); err != nil {
				t.Fatal(err)
			}
			began, torn, most := time.Now(), 0, 0
			for range 1000 {
				if err := word.replace(word.Old, word.New); err != nil {
					t.Fatal(err)
				}
				for _, read := range []func(context.Context) (*MemProfile, error){r.MemProfile, r.MemTotals} {
					p, err := read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					torn += p.Torn
					most = len(p.Records)
				}
				if err := word.replace(word.New, word.Old); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.MemProfile(t.Context()); err == nil {
				t.Error("the profile is still on")
			}
			t.Logf("1000 switches and 2000 reads in %v; %d stacks, %d records torn", time.Since(began).Round(time.Millisecond), most, torn)
			if most < 50 {
				t.Errorf("only %d stacks were seen", most)
			}
			io.WriteString(stdin, "x")
			expect(t, stderr, "alive\n")
		})
	}
}

// BenchmarkMemProfile reads the memory profile of a program that allocates at 16,384 stacks.
func BenchmarkMemProfile(b *testing.B) {
	r, _, _ := start(b, build(b, "local", "amd64", "many", "-ldflags=-s"))
	read := func(b *testing.B) {
		p, err := r.MemProfile(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(p.Records)), "stacks")
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			clear(r.lists)
			read(b)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			read(b)
		}
	})
	b.Run("stacks", func(b *testing.B) {
		for b.Loop() {
			clear(r.expanded)
			clear(r.names)
			for _, bucket := range r.lists[memBucket] {
				r.MemStack(bucket.pcs)
			}
		}
	})
}
