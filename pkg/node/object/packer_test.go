package object

import (
	"bytes"
	"testing"
)

func TestPacker(t *testing.T) {
	elf := func(class byte, change func(b []byte)) []byte {
		b := make([]byte, 8192)
		copy(b, "\x7fELF")
		b[4] = class
		change(b)
		return b
	}
	loader := func(b []byte) { copy(b[64+3*56+4:], "UPX!") }
	end := func(b []byte) { copy(b[len(b)-36:], "UPX!") }
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"behind the program headers": {elf(2, loader), "UPX"},
		"at the end":                 {elf(2, end), "UPX"},
		"32 bits":                    {elf(1, loader), "UPX"},
		"no marks":                   {elf(2, func([]byte) {}), ""},
		"in the middle":              {elf(2, func(b []byte) { copy(b[4096:], "UPX!") }), ""},
		"with section headers":       {elf(2, func(b []byte) { loader(b); b[60] = 20 }), ""},
		"no ELF":                     {[]byte("UPX!" + string(make([]byte, 100))), ""},
		"cut":                        {[]byte("\x7fELF"), ""},
		"empty":                      {nil, ""},
	} {
		if got := Packer(bytes.NewReader(c.file), int64(len(c.file))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
