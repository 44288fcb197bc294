package object

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// The headers claim more than any program has, and the file is sparse and large enough for it.
func TestOpenRefusesHostileHeaders(t *testing.T) {
	original, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	sections := le.Uint64(original[40:])
	names := sections + 64*uint64(le.Uint16(original[62:]))
	tests := []struct {
		name   string
		change func(b []byte)
		ok     bool
	}{
		{"unchanged", func([]byte) {}, true},
		{"not ELF", func(b []byte) { b[0] = 'x' }, false},
		{"32 bit", func(b []byte) { b[4] = 1 }, false},
		{"big endian", func(b []byte) { b[5] = 2 }, false},
		{"number of sections in the first section header", func(b []byte) { le.PutUint16(b[60:], 0); le.PutUint64(b[sections+32:], 1<<32) }, false},
		{"too many sections", func(b []byte) { le.PutUint16(b[60:], 0xfeff) }, false},
		{"too many segments", func(b []byte) { le.PutUint16(b[56:], 0xffff) }, false},
		{"section names that are too large", func(b []byte) { le.PutUint64(b[names+32:], 1<<39) }, false},
		{"compressed section names", func(b []byte) { le.PutUint64(b[names+8:], 0x800) }, false},
		{"sections beyond the end", func(b []byte) { le.PutUint64(b[40:], 1<<41) }, true},
		{"no sections", func(b []byte) { le.PutUint64(b[40:], 0); le.PutUint16(b[60:], 0); le.PutUint16(b[62:], 0) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := append([]byte(nil), original...)
			test.change(data)
			path := filepath.Join(t.TempDir(), "object")
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 1<<40); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := Open(f); (err == nil) != test.ok {
				t.Errorf("got %v, want success: %v", err, test.ok)
			}
		})
	}
}
