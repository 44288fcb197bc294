package embed

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

func noKind(*profile.Function, *profile.Mapping) uint8 { return 0 }

// random returns a valid profile that uses every field of the format, with values of all sizes.
func random(seed uint64) *profile.Profile {
	r := rand.New(rand.NewPCG(seed, 2))
	text := func() string {
		return []string{"", "main.main", "a b;c", "\xff\xfe\x00", "</metadata><script>", strings.Repeat("é", r.IntN(300)), fmt.Sprint(r.Uint64())}[r.IntN(7)]
	}
	number := func() int64 {
		return []int64{0, 1, -1, math.MaxInt64, math.MinInt64, r.Int64N(1000), int64(r.Uint64())}[r.IntN(7)]
	}
	coin := func() bool { return r.IntN(2) == 0 }
	p := &profile.Profile{DefaultSampleType: text(), DocURL: text(), DropFrames: text(), KeepFrames: text(),
		TimeNanos: number(), DurationNanos: number(), Period: number()}
	if coin() {
		p.PeriodType = &profile.ValueType{Type: text(), Unit: text()}
	}
	for range r.IntN(3) {
		p.Comments = append(p.Comments, text())
	}
	for range 1 + r.IntN(3) {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: text(), Unit: text()})
	}
	id := uint64(0)
	next := func() uint64 { id += 1 + r.Uint64N(3); return id }
	for range r.IntN(4) {
		p.Mapping = append(p.Mapping, &profile.Mapping{ID: next(), Start: r.Uint64(), Limit: r.Uint64(), Offset: r.Uint64(), File: text(), BuildID: text(),
			KernelRelocationSymbol: text(), HasFunctions: coin(), HasFilenames: coin(), HasLineNumbers: coin(), HasInlineFrames: coin()})
	}
	for range 1 + r.IntN(20) {
		p.Function = append(p.Function, &profile.Function{ID: next(), Name: text(), SystemName: text(), Filename: text(), StartLine: max(number(), 0)})
	}
	for range 1 + r.IntN(30) {
		l := &profile.Location{ID: next(), Address: r.Uint64(), IsFolded: coin()}
		if len(p.Mapping) > 0 && coin() {
			l.Mapping = p.Mapping[r.IntN(len(p.Mapping))]
		}
		for range r.IntN(4) {
			l.Line = append(l.Line, profile.Line{Function: p.Function[r.IntN(len(p.Function))], Line: max(number(), 0), Column: number()})
		}
		p.Location = append(p.Location, l)
	}
	for range r.IntN(60) {
		s := &profile.Sample{}
		for i := range p.SampleType {
			v := number()
			if i > 0 && seed%2 == 0 {
				v = s.Value[0] * 7
			}
			s.Value = append(s.Value, v)
		}
		for range r.IntN(12) {
			s.Location = append(s.Location, p.Location[r.IntN(len(p.Location))])
		}
		for i := range r.IntN(3) {
			if s.Label == nil {
				s.Label = map[string][]string{}
			}
			s.Label[fmt.Sprint("key", i)] = []string{text(), text()}[:1+r.IntN(2)]
		}
		for i := range r.IntN(4) {
			key, numbers := []string{"time", "pid", "key0", ""}[i], []int64{number(), number()}[:1+r.IntN(2)]
			var units []string
			if coin() {
				units = []string{"milliseconds", text()}[:len(numbers)]
			}
			addNumber(s, key, numbers, units)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// content returns the content of a profile without the order and the IDs of samples, locations and functions, which have no
// meaning.
func content(p *profile.Profile) []string {
	mapping := map[*profile.Mapping]int{}
	for i, m := range p.Mapping {
		mapping[m] = i + 1
	}
	all := []string{fmt.Sprintf("%d %d %d %q", p.TimeNanos, p.DurationNanos, p.Period,
		append([]string{p.DefaultSampleType, p.DropFrames, p.KeepFrames, p.DocURL}, p.Comments...))}
	for _, m := range p.Mapping {
		all = append(all, fmt.Sprintf("%+v", *m))
	}
	for _, t := range append(slices.Clone(p.SampleType), p.PeriodType) {
		all = append(all, fmt.Sprintf("%+v", t))
	}
	unordered := len(all)
	function := func(f *profile.Function) string {
		return fmt.Sprintf("%q %q %q %d", f.Name, f.SystemName, f.Filename, f.StartLine)
	}
	location := func(l *profile.Location) string {
		text := fmt.Sprintf("%d %x %v", mapping[l.Mapping], l.Address, l.IsFolded)
		for _, ln := range l.Line {
			text += fmt.Sprintf(" {%s %d %d}", function(ln.Function), ln.Line, ln.Column)
		}
		return text
	}
	for _, f := range p.Function {
		all = append(all, "function "+function(f))
	}
	for _, l := range p.Location {
		all = append(all, "location "+location(l))
	}
	for _, s := range p.Sample {
		text := fmt.Sprintf("sample %v %q %v %q", s.Value, s.Label, s.NumLabel, s.NumUnit)
		for _, l := range s.Location {
			text += "\n\t" + location(l)
		}
		all = append(all, text)
	}
	slices.Sort(all[unordered:])
	return all
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(400) {
		p := random(seed)
		b, err := Encode(p, noKind)
		if err != nil {
			t.Fatal(seed, err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(seed, err)
		}
		want, got := content(p), content(back)
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("seed %d: got %d lines, want %d, the first that differs is not\n%s", seed, len(got), len(want), want[i])
			}
		}
		if len(got) > len(want) {
			t.Fatalf("seed %d: more came back: %s", seed, got[len(want)])
		}
	}
}

func TestOrderHasNoMeaning(t *testing.T) {
	for seed := range uint64(50) {
		a, b := random(seed), random(seed)
		slices.Reverse(b.Sample)
		slices.Reverse(b.Location)
		slices.Reverse(b.Function)
		first, err1 := Encode(a, noKind)
		second, err2 := Encode(b, noKind)
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(first, second) {
			t.Errorf("seed %d: other bytes for another order (%v)", seed, err)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	payload, err := Encode(stacks.New(300), noKind)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"svg": SVG(payload), "html": HTML(payload)} {
		file = append([]byte("<!-- "+Mark+" -->"), file...)
		read := func(b []byte) error {
			found, err := Find(b)
			if err == nil {
				_, err = Decode(found)
			}
			return err
		}
		if err := read(file); err != nil {
			t.Fatal(name, err)
		}
		if err := read(bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))); err != nil {
			t.Errorf("%s with other line ends: %v", name, err)
		}
		for cut := len("<!-- " + Mark); cut < len(file)-2; cut += 97 {
			if err := read(file[:cut]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s cut off at %d of %d: %v", name, cut, len(file), err)
			}
		}
		for at := 200; at < len(file)-60; at += 101 {
			edited := bytes.Clone(file)
			edited[at] = edited[at]%26 + 'A'
			if bytes.Equal(edited, file) {
				continue
			}
			if err := read(edited); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s edited at %d: %v", name, at, err)
			}
		}
	}
	if _, err := Find([]byte("<svg></svg>")); !errors.Is(err, ErrNone) {
		t.Errorf("another program's SVG: %v", err)
	}
}

// seal returns a payload with a correct digest for arbitrary columns.
func seal(columns []byte, claimed uint64) []byte {
	out := bytes.NewBuffer(make([]byte, headerSize))
	w, _ := flate.NewWriter(out, 6)
	w.Write(columns)
	w.Close()
	b := out.Bytes()
	copy(b, fmt.Sprintf("%s%d\n", magic, Version))
	binary.LittleEndian.PutUint64(b[8:], uint64(len(b)-headerSize))
	binary.LittleEndian.PutUint64(b[16:], claimed)
	sum := sha256.Sum256(b[headerSize:])
	copy(b[24:], sum[:])
	return b
}

// Payloads that claim or contain more than is accepted are refused.
func TestPayloadsThatCostTooMuch(t *testing.T) {
	zeros := make([]byte, 16<<20)
	for name, b := range map[string][]byte{
		"more than claimed":    seal(zeros, 100),
		"less than claimed":    seal(zeros[:100], maxInflated),
		"a claim too large":    seal(zeros[:100], math.MaxUint64),
		"a million of nothing": seal(zeros, uint64(len(zeros))),
		"a huge table":         seal(binary.AppendUvarint(nil, math.MaxUint64), 10),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A deep stack that many samples share is small in the file and large in memory.
	p := stacks.New(1)
	for range 100_000 {
		p.Sample[0].Location = append(p.Sample[0].Location, p.Location[0])
	}
	for range 400 {
		p.Sample = append(p.Sample, p.Sample[0])
	}
	if _, err := Encode(p, noKind); err == nil {
		t.Error("a profile that could not be read back was written")
	}
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(20) {
		b, err := Encode(random(seed), noKind)
		if err != nil {
			f.Fatal(err)
		}
		columns, err := inflate(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(columns)
	}
	f.Fuzz(func(t *testing.T, columns []byte) {
		fuzzbudget.Enforce(t)
		p, err := Decode(seal(columns, uint64(len(columns))))
		if err != nil {
			return
		}
		if _, err := Encode(p, noKind); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

func FuzzFind(f *testing.F) {
	payload, err := Encode(random(1), noKind)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(SVG(payload))
	f.Add(HTML(payload))
	f.Fuzz(func(t *testing.T, file []byte) {
		fuzzbudget.Enforce(t)
		if b, err := Find(file); err == nil {
			Decode(b)
		}
	})
}
