package object

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Symbols are those of debug/elf, in 64-bit and in 32-bit objects.
func TestSymbolsAgreeWithDebugELF(t *testing.T) {
	for _, arch := range []string{"amd64", "386"} {
		t.Run(arch, func(t *testing.T) { compareSymbols(t, arch) })
	}
}

func compareSymbols(t *testing.T, arch string) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", program, source)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := reference.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	i := -1 // debug/elf omits the first symbol, which is empty
	for s := range f.Symbols(elf.SHT_SYMTAB) {
		if i >= 0 && i < len(want) {
			if w := want[i]; s.Name() != w.Name || s.Value != w.Value || s.Size != w.Size || s.Type != elf.ST_TYPE(w.Info) ||
				s.Bind != elf.ST_BIND(w.Info) || s.Section != uint16(w.Section) {
				t.Fatalf("symbol %d: got %+v (%s), want %+v", i, s, s.Name(), w)
			}
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d symbols, want %d", i, len(want))
	}
}
