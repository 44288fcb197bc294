//go:build linux

package capture_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/runtimes/golang/profiles"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// buildPlugin builds testdata/goplugin, stripped, and returns the program that loads the plugin.
func buildPlugin(t *testing.T) string {
	t.Helper()
	dir := copySources(t, "goplugin")
	runIn(t, dir, "go", "build", "-ldflags=-s", "-buildmode=plugin", "plugin.go")
	runIn(t, dir, "go", "build", "-ldflags=-s", "host.go")
	return filepath.Join(dir, "host")
}

// The functions of a plugin are unwound and named as those of the program that has loaded it.
func TestGoPlugin(t *testing.T) {
	need.Root(t)
	program := buildPlugin(t)
	t.Run("heap", func(t *testing.T) {
		s := start(t, program)
		got, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		want := s.ask(t, "heap")
		if len(keepFunction(want.Copy(), ".Allocate").Sample) == 0 {
			t.Error("the plugin has allocated nothing")
		}
		compare(t, got, want, 0)
	})
	t.Run("goroutine", func(t *testing.T) {
		s := start(t, program)
		got := keepFunction(goroutines(t, capture.Options{ContainerID: s.id}), ".Wait")
		if n := total(got); n != 100 || len(got.Sample) != 1 {
			t.Errorf("%d goroutines with %d stacks in the plugin; want 100 with one", n, len(got.Sample))
		}
		compareStacks(t, atStacks(got), atStacks(keepFunction(s.ask(t, "goroutine"), ".Wait")))
	})
	t.Run("cpu", func(t *testing.T) {
		s := start(t, program, "work")
		p := sampleFor(t, s, 199, time.Second/2)
		if n := total(keepFunction(p.Copy(), ".compute")); n == 0 {
			t.Error("no samples in the plugin")
		}
		for _, s := range keepFunction(p, ".compute").Sample {
			if !hasFunction(s, ".Work") {
				t.Errorf("a stack ends in the plugin: %s", names(s))
			}
		}
	})
}

// Libraries of a C program that are built with Go have a runtime each; profiles are of all of them.
func TestGoLibraries(t *testing.T) {
	need.Root(t)
	dir := copySources(t, "golibraries")
	var libraries []string
	for _, name := range []string{"one.so", "two.so"} {
		// The paths differ, so that the linker makes two objects.
		runIn(t, dir, "go", "build", "-ldflags=-s", "-buildmode=c-shared", "-o", name, "library.go")
		libraries = append(libraries, filepath.Join(dir, name))
	}
	runIn(t, dir, "gcc", "-o", "host", "host.c", "-ldl")
	s := start(t, filepath.Join(dir, "host"), libraries...)

	heap, err := runProfile(t, profiles.NewHeap, capture.Options{ContainerID: s.id}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	const inUse = 3 // index of inuse_space
	perLibrary := map[string]int64{}
	for _, s := range keepFunction(heap, "main.Grow").Sample {
		if s.Value[inUse] >= 1<<20 {
			perLibrary[filepath.Base(s.Location[0].Mapping.File)] += s.Value[inUse] >> 20
		}
	}
	if perLibrary["one.so"] != 10 || perLibrary["two.so"] != 40 {
		t.Errorf("MiB in use by library: %v; want 10 and 40", perLibrary)
	}

	p := goroutines(t, capture.Options{ContainerID: s.id})
	for _, name := range []string{"one.so", "two.so"} {
		if !strings.Contains(strings.Join(p.Comments, "\n"), "/"+name+", go1.") {
			t.Errorf("no comment names the runtime in %s: %q", name, p.Comments)
		}
	}
	if n := total(keepFunction(p, "main.wait")); n != 2 {
		t.Errorf("%d goroutines wait, want 2", n)
	}
}

// Stacks lead through C that calls Go that calls C.
func TestCallsThroughGoLibrary(t *testing.T) {
	need.Root(t)
	dir := copySources(t, "gocallback")
	runIn(t, dir, "go", "build", "-buildmode=c-shared", "-o", "library.so", "library.go")
	runIn(t, dir, "gcc", "-O2", "-fomit-frame-pointer", "-o", "host", "host.c", filepath.Join(dir, "library.so"))
	s := start(t, filepath.Join(dir, "host"))
	p := sampleFor(t, s, 199, time.Second/2)
	crunching := 0
	for _, s := range p.Sample {
		stack := names(s)
		if !strings.HasPrefix(stack, "crunch,") {
			continue
		}
		crunching++
		if strings.Count(stack, ",call,") != 10 || strings.Count(stack, "main.middle,") != 10 || !strings.Contains(stack, ",Enter,serve,main,") {
			t.Errorf("incomplete: %s", stack)
		}
	}
	if crunching == 0 {
		t.Errorf("no samples in crunch, of %d", len(p.Sample))
	}
}
