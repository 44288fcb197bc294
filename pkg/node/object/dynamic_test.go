package object

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/gcc"
)

// The symbols and relocations for the dynamic linker are found without section headers.
func TestRecoveredSections(t *testing.T) {
	const source = `
		#include <stdio.h>
		int (*print)(const char *) = puts;
		int first(void) { return print("first"); }
		int second(void) { return printf("%d", first()); }
		int third;
		int main(void) { return second() + third; }`
	for name, flags := range map[string][]string{
		"library, GNU hash":    {"-shared", "-fPIC", "-Wl,--hash-style=gnu"},
		"library, System V":    {"-shared", "-fPIC", "-Wl,--hash-style=sysv"},
		"program":              {"-pie", "-Wl,--hash-style=gnu"},
		"program that exports": {"-pie", "-rdynamic", "-Wl,-z,lazy"},
		"fixed addresses":      {"-no-pie"},
		"static":               {"-static"},
	} {
		t.Run(name, func(t *testing.T) {
			data := gcc.Compile(t, gcc.C, source, flags...)
			whole, err := Open(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			cut, err := Open(bytes.NewReader(objecttest.RemoveSections(data)))
			if err != nil {
				t.Fatal(err)
			}
			if whole.SectionsRemoved || !cut.SectionsRemoved {
				t.Errorf("sections removed: %v, %v", whole.SectionsRemoved, cut.SectionsRemoved)
			}
			if diff := cmp.Diff(dynamicOf(t, whole), dynamicOf(t, cut)); diff != "" && name != "static" {
				t.Errorf("with section headers and without:\n%s", diff)
			}
		})
	}
}

// dynamic is what a test compares of an object.
type dynamic struct {
	Symbols     []string
	Relocations []Relocation
}

func dynamicOf(t *testing.T, f *File) (d dynamic) {
	t.Helper()
	for s := range f.Symbols(elf.SHT_DYNSYM) {
		name := s.Name()
		if _, _, ok := f.CodeOf(s); ok {
			name += ", code"
		}
		d.Symbols = append(d.Symbols, name)
	}
	for _, s := range f.RelocationSections() {
		for r, err := range f.Relocations(s, s.Size) {
			if err != nil {
				t.Fatal(err)
			}
			d.Relocations = append(d.Relocations, r)
		}
	}
	return d
}
