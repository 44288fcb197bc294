package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// noise is n bytes that do not compress, the same ones each time.
func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func written(t testing.TB, blocks ...[]byte) []byte {
	var log bytes.Buffer
	w := NewWriter(&log)
	for i, b := range blocks {
		if err := w.Write(fmt.Sprint("kind", i), b); err != nil {
			t.Fatal(err)
		}
	}
	return log.Bytes()
}

func read(t testing.TB, log io.Reader) (all []Block) {
	if err := Read(log, func(b Block) error { all = append(all, b); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	blocks := [][]byte{{}, {1}, noise(perLine - 1), noise(perLine), noise(perLine + 1), noise(1 << 20)}
	log := written(t, blocks...)
	for line := range bytes.Lines(log) {
		if len(line) > maxLine-100 {
			t.Fatalf("a line of %d bytes, which a runtime may split", len(line))
		}
	}
	// Others write to the log too, between any two lines, and lines of any length.
	mixed := bytes.ReplaceAll(log, []byte("\n"), []byte("\nwarning: "+strings.Repeat("x", 3*maxLine)+"\n\n"))
	for name, log := range map[string][]byte{"alone": log, "mixed": mixed, "crlf": bytes.ReplaceAll(log, []byte("\n"), []byte("\r\n"))} {
		got := read(t, bytes.NewReader(log))
		if len(got) != len(blocks) {
			t.Fatalf("%s: %d blocks of %d", name, len(got), len(blocks))
		}
		for i, b := range got {
			if b.Number != i+1 || b.Kind != fmt.Sprint("kind", i) || !bytes.Equal(b.Data, blocks[i]) {
				t.Errorf("%s: block %d is not what was written", name, i)
			}
		}
	}
}

// A log of which a part was lost or changed yields fewer blocks, never wrong ones.
func TestDamage(t *testing.T) {
	blocks := [][]byte{noise(3 * perLine), noise(10), noise(2*perLine + 1)}
	log := written(t, blocks...)
	lines := slices.Collect(bytes.Lines(log))
	whole := func(t *testing.T, log []byte, want int) {
		got := read(t, bytes.NewReader(log))
		if len(got) != want {
			t.Errorf("%d blocks, want %d", len(got), want)
		}
		for _, b := range got {
			if !bytes.Equal(b.Data, blocks[b.Number-1]) {
				t.Errorf("block %d is not what was written", b.Number)
			}
		}
	}
	for i := range lines {
		rest := slices.Concat(lines[:i], lines[i+1:])
		t.Run(fmt.Sprintf("without line %d", i), func(t *testing.T) { whole(t, bytes.Join(rest, nil), 2) })
		changed := slices.Clone(lines)
		changed[i] = bytes.Replace(lines[i], lines[i][len(lines[i])-9:], []byte("changed!\n"), 1)
		t.Run(fmt.Sprintf("line %d changed", i), func(t *testing.T) { whole(t, bytes.Join(changed, nil), 2) })
	}
	for n := range 40 {
		cut := len(log) * n / 40
		got := read(t, bytes.NewReader(log[:cut]))
		for _, b := range got {
			if !bytes.Equal(b.Data, blocks[b.Number-1]) {
				t.Errorf("cut at %d: block %d is not what was written", cut, b.Number)
			}
		}
		whole(t, log[cut:], len(read(t, bytes.NewReader(log[cut:])))) // rotated
	}
}

func TestBudget(t *testing.T) {
	var log bytes.Buffer
	w := NewWriter(&log)
	if err := w.Write("big", noise(w.Room()+1)); !errors.Is(err, ErrFull) || log.Len() != 0 {
		t.Errorf("more than there is room for: %v, %d bytes written", err, log.Len())
	}
	for w.Room() > 0 {
		if err := w.Write("part", noise(min(w.Room(), 3<<20))); err != nil {
			t.Fatal(err)
		}
	}
	if log.Len() > Budget {
		t.Errorf("%d bytes in a log that is to have %d", log.Len(), Budget)
	}
	if err := w.Write("small", []byte{1}); !errors.Is(err, ErrFull) {
		t.Errorf("after the budget: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, noise(20), noise(perLine+5)))
	f.Add([]byte(prefix + "1 0/0 x 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"))
	f.Add([]byte(prefix + "1 0/99999999999999999999 x 67108865 0\n" + prefix + "1 1/2 !\n" + prefix + "\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		fuzzbudget.Enforce(t)
		for _, b := range read(t, bytes.NewReader(log)) {
			if b.Number < 1 || len(b.Data) > len(log) {
				t.Errorf("block %d of %d bytes in a log of %d", b.Number, len(b.Data), len(log))
			}
		}
	})
}
