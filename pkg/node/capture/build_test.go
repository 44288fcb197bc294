//go:build linux

package capture_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// compileC compiles a C program and returns its path.
func compileC(t *testing.T, source string, flags ...string) string {
	t.Helper()
	return compileWith(t, "gcc", source, flags...)
}

func compileWith(t *testing.T, compiler, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), ".c"))
	cmd := exec.Command(compiler, append(flags, "-o", out, source)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile %s (`make deps` installs the compilers): %v\n%s", source, err, text)
	}
	return out
}

// buildGo builds a program from testdata with a version of Go; "local" is the version that runs this test.
func buildGo(t testing.TB, version, flags, source string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", source, "main.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"main.go": string(text), "go.mod": "module example.com/busy\n\ngo 1.18\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, source)
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = dir
	cgo := "0"
	if strings.HasPrefix(source, "cgo") || strings.Contains(flags, "-race") {
		cgo = "1"
	}
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+version, "CGO_ENABLED="+cgo, "GOFLAGS="+flags)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s with %s: %v\n%s", source, version, err, text)
	}
	return program
}

// copySources copies the sources of a program with several objects to a new directory.
func copySources(t *testing.T, source string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files, err := filepath.Glob(filepath.Join("testdata", source, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of %s: %v", source, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, strings.TrimSuffix(filepath.Base(f), ".txt")), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runIn runs a command in a directory.
func runIn(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=", "GO111MODULE=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, text)
	}
}
