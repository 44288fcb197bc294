//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a program to profile.
type program struct {
	name   string
	golang bool
	args   []string // of a Go program
	build  []string // command that compiles it; %s is the path of the result
}

const (
	goSource = "./test/workloads/accuracy/golang"
	native   = "test/workloads/accuracy/native/busy"
	// newerGo selects a version of Go that is newer than the one that builds the profiler.
	newerGo = "GOTOOLCHAIN=go1.27.3"
)

var programs = []program{
	{"Go plain", true, []string{"-kind=plain"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go stripped", true, []string{"-kind=plain"}, []string{"go", "build", "-ldflags=-s -w", "-o", "%s", goSource}},
	{"Go PIE", true, []string{"-kind=plain"}, []string{"go", "build", "-buildmode=pie", "-ldflags=-s -w", "-o", "%s", goSource}},
	{"Go cgo", true, nil, []string{"env", "CGO_ENABLED=1", "go", "build", "-o", "%s", "./test/workloads/accuracy/cgo"}},
	{"Go deep recursion", true, []string{"-kind=recursion"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go generics", true, []string{"-kind=generics"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go inlining", true, []string{"-kind=inlining"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go cryptography", true, []string{"-kind=crypto"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go labels", true, []string{"-kind=labels"}, []string{"go", "build", "-o", "%s", goSource}},
	{"Go 1.27 plain", true, []string{"-kind=plain"}, []string{"env", newerGo, "go", "build", "-o", "%s", goSource}},
	{"Go 1.27 PIE", true, []string{"-kind=plain"},
		[]string{"env", newerGo, "go", "build", "-buildmode=pie", "-ldflags=-s -w", "-o", "%s", goSource}},
	{"Go 1.27 cgo", true, nil,
		[]string{"env", newerGo, "CGO_ENABLED=1", "go", "build", "-o", "%s", "./test/workloads/accuracy/cgo"}},
	{"Go 1.27 inlining", true, []string{"-kind=inlining"}, []string{"env", newerGo, "go", "build", "-o", "%s", goSource}},
	{"Go 1.27 labels", true, []string{"-kind=labels"}, []string{"env", newerGo, "go", "build", "-o", "%s", goSource}},
	{"C", false, nil, []string{"gcc", "-O2", "-fomit-frame-pointer", "-pthread", "-o", "%s", native + ".c"}},
	// Only the static library has symbols for the unwinder of exceptions.
	{"C++", false, nil, []string{"g++", "-O2", "-fomit-frame-pointer", "-pthread", "-static-libstdc++", "-static-libgcc", "-o", "%s", native + ".cc"}},
	{"Rust", false, nil, []string{"rustc", "-O", "-o", "%s", native + ".rs"}},
}

// make builds the program and returns its path, which is empty if the compiler is not installed.
func (p program) make(ctx context.Context, o options) (string, error) {
	if _, err := exec.LookPath(p.build[0]); err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(o.out, "accuracy", strings.ReplaceAll(p.name, " ", "-")))
	if err != nil {
		return "", err
	}
	args := append([]string(nil), p.build...)
	for i := range args {
		if args[i] == "%s" {
			args[i] = path
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return path, nil
}
