package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module  = "github.com/kubectl-pprof/kubectl-pprof"
	program = module + "/cmd/profiler"
)

// file is an entry of the image's file system: a directory if it has no content.
type file struct {
	name    string // without a leading slash
	mode    os.FileMode
	content []byte
}

// contents returns all files and directories of the image, sorted by name.
func contents(ctx context.Context, arch, version string) ([]file, error) {
	binary, err := build(ctx, arch, version)
	if err != nil {
		return nil, err
	}
	licences, err := collectLicences(ctx, arch)
	if err != nil {
		return nil, err
	}
	files := append(licences,
		file{name: "profiler", mode: 0o755, content: binary},
		file{name: "run", mode: os.ModeDir | 0o755},
		file{name: "tmp", mode: os.ModeDir | os.ModeSticky | 0o777},
	)
	files = append(files, parents(files)...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// parents returns the directories that contain the files.
func parents(files []file) []file {
	seen := map[string]bool{}
	var dirs []file
	for _, f := range files {
		for d := filepath.Dir(f.name); d != "." && !seen[d]; d = filepath.Dir(d) {
			seen[d] = true
			dirs = append(dirs, file{name: d, mode: os.ModeDir | 0o755})
		}
	}
	return dirs
}

// build compiles the program. The same source results in the same bytes.
func build(ctx context.Context, arch, version string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "profiler-image")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "profiler")
	_, err = goTool(ctx, arch, "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -buildid= -X "+module+"/pkg/version.Version="+version, "-o", out, program)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// goTool runs the go command for Linux on that architecture and returns its stdout.
func goTool(ctx context.Context, arch string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s for linux/%s: %w", args[0], arch, err)
	}
	return out, nil
}

// writeTo writes the files below a directory.
func writeTo(root string, files []file) error {
	for _, f := range files {
		path := filepath.Join(root, f.name)
		if f.mode.IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
		} else if err := os.WriteFile(path, f.content, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(path, f.mode); err != nil { // MkdirAll and WriteFile obey the umask
			return err
		}
	}
	return nil
}
