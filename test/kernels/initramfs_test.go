//go:build linux

package kernels

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
)

var compilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// buildInitramfs compiles the guest and its C program for an architecture and packs them.
func buildInitramfs(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "init"), "./guest")
	build.Env = append(os.Environ(), "GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0")
	run(t, build)
	// Frame pointers and no unwind tables. It is not optimized because gcc omits the frame
	// pointer of optimized leaf functions in spite of its flags.
	run(t, exec.Command(compilers[arch], "-static", "-O0", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer",
		"-fno-asynchronous-unwind-tables", "-o", filepath.Join(dir, "spin"), "guest/spin.c"))
	// Unwind tables and no frame pointers.
	for _, name := range []string{"native", "waits", "faults"} {
		run(t, exec.Command(compilers[arch], "-static", "-O2", "-fomit-frame-pointer", "-fasynchronous-unwind-tables", "-pthread",
			"-fno-optimize-sibling-calls", "-o", filepath.Join(dir, name), "../../pkg/node/capture/testdata/"+name+".c"))
	}

	path := filepath.Join(dir, "initramfs")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := cpio.NewWriter(f)
	for _, d := range []string{"proc", "sys", "dev"} {
		if err := w.WriteHeader(&cpio.Header{Name: d, Mode: cpio.TypeDir | 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"init", "spin", "native", "waits", "faults"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out[max(0, len(out)-3000):])
	}
	return string(out)
}
