//go:build linux

package unwindmaps

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/unwind"
)

// The first objects without a table are named with the reason, and all are counted. Files of other kinds are not.
func TestRefusedObjectsAreNamed(t *testing.T) {
	self, err := proc.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	tables := NewTables(nil, nil, nil)
	lookup := func(name string, content []byte) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := self.OpenInRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if o := tables.lookup(&process.Mapping{File: f}); len(o.parts) != 0 {
			t.Errorf("%s has a table", name)
		}
	}
	lookup("text", bytes.Repeat([]byte("not an object\n"), 100))
	lookup("empty", nil)
	if s := tables.Stats(); s.Refused != 0 {
		t.Errorf("refused although they are not objects: %+v", s)
	}
	hostile := elf.Header64{Shoff: 64, Shnum: math.MaxUint16}
	copy(hostile.Ident[:], elf.ELFMAG+string([]byte{byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)}))
	var content bytes.Buffer
	if err := binary.Write(&content, binary.LittleEndian, hostile); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxReasons {
		lookup("hostile.so", content.Bytes())
	}
	s := tables.Stats()
	if s.Refused != 2*maxReasons || len(s.Reasons) != maxReasons || !strings.Contains(s.Reasons[0], "/hostile.so: an ELF object with 0 segments and 65535 sections") {
		t.Errorf("got %+v", s)
	}
}

// A part is split at its longest gaps: code to whose addresses no row applies.
func TestPartsHaveNoLongGaps(t *testing.T) {
	const base, long = 0x400000, minGap
	part := tablePart{start: base, end: base + 100*long, base: base, index: 7}
	between := func(start, end uint64) tablePart {
		return tablePart{start: base + start, end: base + end, base: base, index: 7}
	}
	split := func(rows []unwind.Row) []tablePart {
		w := &partWriter{}
		for _, row := range rows {
			w.addGap(base, base+uint64(row.Address))
			w.last = row
			w.rows++
		}
		w.addGap(base, part.end)
		return part.without(longest(w.gaps))
	}
	for _, c := range []struct {
		name string
		rows []unwind.Row
		want []tablePart
	}{
		{"no gap", []unwind.Row{{Address: 0, Rule: 3}, {Address: 4 * long, Rule: 2}}, []tablePart{part}},
		{"short gap", []unwind.Row{{Address: 0, Rule: 3}, {Address: 100, Rule: framePointerRule}, {Address: 99 + long, Rule: 2}}, []tablePart{part}},
		{"gap in the middle", []unwind.Row{{Address: 0, Rule: 3}, {Address: 100, Rule: framePointerRule}, {Address: 100 + long, Rule: 2}},
			[]tablePart{between(0, 100), between(100+long, 100*long)}},
		{"gaps at both ends", []unwind.Row{{Address: 0, Rule: framePointerRule}, {Address: long, Rule: 2}, {Address: long + 100, Rule: framePointerRule}},
			[]tablePart{between(long, long+100)}},
		{"nothing but a gap", []unwind.Row{{Address: 0, Rule: framePointerRule}}, nil},
	} {
		if got := split(c.rows); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %x, want %x", c.name, got, c.want)
		}
	}
	// Of many gaps, each longer than the one before it, the shorter ones stay.
	var rows []unwind.Row
	at := uint32(0)
	for i := range uint32(3 * maxGaps) {
		rows = append(rows, unwind.Row{Address: at, Rule: 3}, unwind.Row{Address: at + 100, Rule: framePointerRule})
		at += 100 + (i+1)*long
	}
	part.end = base + uint64(at)
	got := split(rows)
	if len(got) != maxGaps || got[0] != between(0, uint64(rows[4*maxGaps+1].Address)) {
		t.Errorf("got %x, want %d parts, the first with the %d shorter gaps", got, maxGaps, 2*maxGaps)
	}
}
