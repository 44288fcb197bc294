package object

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
)

// IsGccgo reports whether an object contains the export data that gccgo writes into each object (libgo,
// go/go-backend.c of GCC). strip keeps it.
func (f *File) IsGccgo() bool { return f.Section(".go_export") != nil }

// maxStrings bounds what is read of an object's .dynstr section, in bytes. That of libLLVM has 4 MB.
const maxStrings = 8 << 20

// OtherGoCompiler returns the compiler of an object with Go code that Go's own compiler has not built,
// "gccgo" or "TinyGo", or "" if none is recognized.
func (f *File) OtherGoCompiler() string {
	if f.IsGccgo() {
		return "gccgo"
	}
	if s := f.Section(".dynstr"); s != nil {
		if names, err := f.ReadSection(s, maxStrings); err == nil && bytes.Contains(names, []byte("\x00libgo.so.")) {
			return "gccgo"
		}
	}
	// TinyGo links programs statically, with assembly whose symbols have this prefix (src/runtime).
	if slices.ContainsFunc(f.Segments, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return ""
	}
	for s := range f.Symbols(elf.SHT_SYMTAB) {
		if s.Section != uint16(elf.SHN_UNDEF) && strings.HasPrefix(s.Name(), "tinygo_") {
			return "TinyGo"
		}
	}
	return ""
}
