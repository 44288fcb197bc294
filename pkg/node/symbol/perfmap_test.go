//go:build linux

package symbol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestPerfMap(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	tests := []struct {
		name, text string
		want       map[uint64]string // of 0x1010, 0x1020 and 0x1030
	}{
		{"in order", "1000 18 a\n1018 10 b\n", map[uint64]string{0x1010: "a", 0x1020: "b"}},
		{"Node", "1000 40 JS:*turn /app/my wheel.js:12:3\n", map[uint64]string{0x1010: "JS:*turn /app/my wheel.js:12:3", 0x1020: "JS:*turn /app/my wheel.js:12:3", 0x1030: "JS:*turn /app/my wheel.js:12:3"}},
		{"Python", "0x1010 0x8 py::turn:/app/wheel.py\n", map[uint64]string{0x1010: "py::turn:/app/wheel.py"}},
		{".NET", "0000000000001020 10 int32 [App] Wheel::Turn(int32)[Tier0]\n", map[uint64]string{0x1020: "int32 [App] Wheel::Turn(int32)[Tier0]"}},
		{"memory that is reused", "1000 40 before\n1020 8 after\n", map[uint64]string{0x1010: "before", 0x1020: "after", 0x1030: "before"}},
		{"a larger range over it", "1020 8 before\n1000 40 after\n", map[uint64]string{0x1010: "after", 0x1020: "after", 0x1030: "after"}},
		{"carriage return", "1010 8 a\r\n", map[uint64]string{0x1010: "a"}},
		{"half written", "1010 8 a\n1010 8 b", map[uint64]string{0x1010: "a"}},
		{"malformed", "\n1010\n1010 8\n1010 8 \nxyz 8 a\n1010 -8 a\n-1010 8 a\n 1010  8 b\n\x00\xff\n", map[uint64]string{0x1010: "b"}},
		{"wraps around", "1010 ffffffffffffffff a\nffffffffffffffff 8 b\n10101010101010101010 8 c\n", map[uint64]string{}},
		{"everything", "0 ffffffffffffffff a\n", map[uint64]string{0x1010: "a", 0x1020: "a", 0x1030: "a"}},
		{"too long a name", "1010 8 " + long[:2000] + "\n1020 8 b\n", map[uint64]string{0x1010: long[:maxPerfMapLine], 0x1020: "b"}},
		{"too long a line", "1010 8 " + long + "\n1020 8 b\n", map[uint64]string{0x1020: "b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parsePerfMap(strings.NewReader(test.text), []uint64{0x1010, 0x1020, 0x1030})
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// The search agrees with a plain one in which each line overwrites the ones before it.
func TestPerfMapAgreesWithPlainSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var addresses []uint64
		for a := uint64(0); len(addresses) < 1+random.IntN(40); a++ {
			addresses = append(addresses, a*uint64(1+random.IntN(3))+uint64(len(addresses))*200)
		}
		var text strings.Builder
		want := map[uint64]string{}
		for i := range random.IntN(60) {
			start, size := uint64(random.IntN(9000)), uint64(random.IntN(3000))
			fmt.Fprintf(&text, "%x %x f%d\n", start, size, i)
			for _, a := range addresses {
				if a >= start && a < start+size {
					want[a] = fmt.Sprintf("f%d", i)
				}
			}
		}
		if got, err := parsePerfMap(strings.NewReader(text.String()), addresses); err != nil || !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v of\n%v\n%s", got, want, addresses, &text)
		}
	}
}

// Names beyond the limit are not kept, and older names do not take their place.
func TestPerfMapNamesAreLimited(t *testing.T) {
	var addresses []uint64
	var text strings.Builder
	const n = 3 * maxPerfMapText / maxPerfMapLine
	for i := range uint64(n) {
		addresses = append(addresses, i*8)
		fmt.Fprintf(&text, "%x 8 %s\n", i*8, strings.Repeat("x", maxPerfMapLine))
	}
	names, err := parsePerfMap(strings.NewReader("0 ffffffff early\n"+text.String()), addresses)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range names {
		if name == "early" {
			t.Fatal("a name that was overwritten is found again")
		}
		total += len(name)
	}
	if total == 0 || total > maxPerfMapText {
		t.Errorf("%d bytes of names are kept, want up to %d", total, maxPerfMapText)
	}
}

// repeated is a reader of n bytes of the same text.
type repeated struct {
	text string
	n    int64
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(r.text) <= len(b) {
		n += copy(b[n:], r.text)
	}
	r.n -= int64(n)
	return n, nil
}

// Hostile perf maps of 64 MiB take a time that is linear in their size: those that took longer than
// a few seconds would be given up.
func TestHostilePerfMaps(t *testing.T) {
	fuzzbudget.NotUnderRace(t)
	var addresses []uint64
	for i := range uint64(10_000) {
		addresses = append(addresses, 0x7f0000000000+64*i)
	}
	for name, c := range map[string]struct {
		line string
		err  error
	}{
		"empty lines":                      {"\n", errTooManyLines},
		"lines of one byte":                {"a\n", errTooManyLines},
		"shortest lines":                   {"0 0 a\n", errTooManyLines},
		"lines that cover everything":      {"7f0000000000 1000000 LazyCompile:~a\n", nil},
		"lines that cover all but the end": {"7f0000000001 9c3fe a\n", nil},
		"long names":                       {"7f0000000040 40 " + strings.Repeat("x", 2000) + "\n", nil},
		"no end of line":                   {strings.Repeat("x", 4096), nil},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := threadTime()
			_, err := parsePerfMap(&repeated{c.line, 64 << 20}, addresses)
			used := threadTime() - began
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if used > maxCPUTime {
				t.Errorf("took %v of CPU time", used)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20 {
				t.Errorf("%d MiB were allocated", n>>20)
			}
			t.Logf("%v of CPU time, %d MiB allocated", used, (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

// A perf map that is not read to the end names nothing: what was read may be out of date. The others
// of the profile are not opened after the deadline.
func TestPerfMapsHaveADeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perf.map")
	if err := os.WriteFile(path, []byte("1000 100 one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := openPath(t, path)
	if got, err := perfMapNames(f, []uint64{0x1010}, newDeadline(0, 0)); err != errTimeUp || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Two processes have code at the same address. Code that is not in their lists remains unknown, and
// so does code of an object that is in no list.
func TestSymbolizeWithPerfMaps(t *testing.T) {
	list := func(text string) *proc.File {
		path := filepath.Join(t.TempDir(), "perf.map")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return openPath(t, path)
	}
	one := &profile.Mapping{ID: 1, Start: 0x1000, Limit: 0x9000, File: "[anon]"}
	two := &profile.Mapping{ID: 2, Start: 0x1000, Limit: 0x9000, File: "/memfd:doublemapper (deleted)"}
	three := &profile.Mapping{ID: 3, Start: 0x10000, Limit: 0x20000, File: "/app/libx.so"}
	lists := map[*profile.Mapping]*proc.File{one: list("1000 100 one\n"), two: list("1000 100 two\n")}
	lists[three] = lists[one]
	p := profileAt(one, 0x1010, 0x8000)
	p.Mapping = append(p.Mapping, two, three)
	for i, place := range []struct {
		m       *profile.Mapping
		address uint64
	}{{two, 0x1010}, {two, 0x8000}, {three, 0x10010}} {
		l := &profile.Location{ID: uint64(10 + i), Mapping: place.m, Address: place.address}
		p.Location, p.Sample[0].Location = append(p.Location, l), append(p.Sample[0].Location, l)
	}
	err := Symbolize(p, func(*profile.Mapping) *proc.File { return nil }, func(m *profile.Mapping) *proc.File { return lists[m] })
	if err != nil {
		t.Fatal(err)
	}
	want := "one [anon] two [memfd:doublemapper] [libx.so+0x10]"
	if got := strings.Join(names(p), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !one.HasFunctions || three.HasFunctions {
		t.Errorf("mappings claim to have functions: %v and %v, want only the first", one.HasFunctions, three.HasFunctions)
	}
}

func FuzzPerfMap(f *testing.F) {
	f.Add([]byte("1000 18 a\n0x1018 10 b c\n"), uint64(0x1010))
	f.Add([]byte("0 ffffffffffffffff a\n\n1 1"), uint64(0))
	f.Fuzz(func(t *testing.T, text []byte, address uint64) {
		fuzzbudget.Enforce(t)
		parsePerfMap(bytes.NewReader(text), []uint64{address, address + 1})
	})
}

// BenchmarkPerfMapOfHostileLines reads 64 MiB of which every line covers all of 10,000 sampled
// addresses.
func BenchmarkPerfMapOfHostileLines(b *testing.B) {
	benchmarkPerfMap(b, func(int) string { return "0 ffffffffffff a\n" })
}

// BenchmarkPerfMap reads 64 MiB as Node writes them.
func BenchmarkPerfMap(b *testing.B) {
	benchmarkPerfMap(b, func(i int) string {
		return fmt.Sprintf("%x 200 JS:*function%d /usr/src/app/node_modules/library/index.js:120:8\n", i%500_000*0x200, i)
	})
}

func benchmarkPerfMap(b *testing.B, line func(int) string) {
	var text bytes.Buffer
	for i := 0; text.Len() < 64<<20; i++ {
		text.WriteString(line(i))
	}
	var addresses []uint64
	for i := range uint64(10_000) {
		addresses = append(addresses, i*0x1230)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parsePerfMap(bytes.NewReader(text.Bytes()), addresses); err != nil {
			b.Fatal(err)
		}
	}
}
