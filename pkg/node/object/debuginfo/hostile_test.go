package debuginfo

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// openSections opens an object with the given sections, by their names without ".debug_".
func openSections(t *testing.T, sections map[string][]byte) *object.File {
	t.Helper()
	i := objecttest.Image{Size: 4096, Data: map[uint64][]byte{}}
	for name, content := range sections {
		i.Data[i.Size] = content
		i.Sections = append(i.Sections, objecttest.Section{
			Name: ".debug_" + name, Type: elf.SHT_PROGBITS, Offset: i.Size, Size: uint64(len(content)),
		})
		i.Size += uint64(len(content))
	}
	f, err := object.Open(i.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// unitWithLines is a compile unit whose line table is at the start of its section.
var unitWithLines = map[string][]byte{
	"abbrev": []byte("\x01\x11\x00\x10\x17\x00\x00\x00"),
	"info":   append(unitHeader(5, 0), 1, 0, 0, 0, 0),
}

// Many units share one line table, which is parsed for each.
func TestSharedLineTable(t *testing.T) {
	const lists = "\x01\x01\x08\x01d\x00\x01\x01\x08\x01f\x00"
	f := openSections(t, map[string][]byte{
		"abbrev": unitWithLines["abbrev"], "info": unitWithLines["info"],
		"line": append(lineHeader(lists, maxLineBytes), make([]byte, maxLineBytes)...),
	})
	info, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := info.Reader().Next()
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		lines, err := info.Lines(unit)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "/lib/hostile.so: ") {
				t.Errorf("got %v", err)
			}
			return
		}
		if lines == nil {
			t.Fatal("the line table was refused")
		}
	}
	t.Error("no limit was exceeded")
}

// A single entry could refer to millions of ranges.
func TestRangesAreLimited(t *testing.T) {
	for _, name := range []string{"ranges", "rnglists"} {
		f := openSections(t, map[string][]byte{
			"abbrev": unitWithLines["abbrev"], "info": unitWithLines["info"], name: bytes.Repeat([]byte{1}, maxRanges+1),
		})
		fuzzbudget.Enforce(t)
		if _, err := Open(f); err == nil || !strings.Contains(err.Error(), "/lib/hostile.so: section .debug_"+name) {
			t.Errorf("got %v", err)
		}
	}
}

// Too much debugging information is refused by the name of the object and the limit, without a read.
func TestSizeIsLimited(t *testing.T) {
	i := objecttest.Image{Size: maxSize + 8192, Sections: []objecttest.Section{
		{Name: ".debug_info", Type: elf.SHT_PROGBITS, Offset: 4096, Size: maxSize + 1},
	}}
	f, err := object.Open(i.Reader())
	if err != nil {
		t.Fatal(err)
	}
	fuzzbudget.Enforce(t)
	_, err = Open(f)
	if err == nil || !strings.HasPrefix(err.Error(), "/lib/hostile.so: ") || !strings.Contains(err.Error(), "the limit is 40 MiB") {
		t.Errorf("got %v", err)
	}
}

// The files that belong to one object share the limit on what is in memory.
func TestFilesOfAnObjectAreLimitedTogether(t *testing.T) {
	f := openSections(t, unitWithLines)
	info, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	before := info.size
	if _, err := info.OpenAlt(f); err != nil || info.size != 2*before {
		t.Errorf("%d bytes are in memory, want %d: %v", info.size, 2*before, err)
	}
	info.size = maxSize - before + 1
	if _, err := info.OpenAlt(f); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("got %v", err)
	}
}
