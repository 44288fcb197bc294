package read

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/flate"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// maxAllocated is what reading a hostile file may allocate altogether, in bytes. What is alive at the same time is less.
const maxAllocated = 1 << 30

// refuse fails unless reading the data fails with the given error and within maxAllocated.
func refuse(t *testing.T, data []byte, want string) {
	t.Helper()
	if len(data) > 1<<20 {
		t.Fatalf("the file has %d bytes, more than the 1 MiB that this test is about", len(data))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Data(data)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a file of %d bytes: error %v, want %q", len(data), err, want)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
		t.Errorf("a file of %d bytes made the reader allocate %d MiB, more than %d", len(data), n>>20, maxAllocated>>20)
	}
}

// gzippedPprof returns a file with a sample type and the empty string, and what write adds.
func gzippedPprof(t *testing.T, write func(w io.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte{protoSampleType<<3 | 2, 0, protoString<<3 | 2, 0})
	write(z)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// message returns a field with the given content.
func message(number byte, content []byte) []byte {
	return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(content))), content...)
}

func TestSmallPprofFilesWithManyElements(t *testing.T) {
	const many = 12 << 20 // bytes
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"packed locations": {message(protoSample, message(protoSampleLocation, make([]byte, many))), "elements"},
		"packed values":    {message(protoSample, message(protoSampleValue, make([]byte, many))), "elements"},
		"single locations": {message(protoSample, bytes.Repeat([]byte{protoSampleLocation << 3, 1}, many/2)), "elements"},
		"labels":           {message(protoSample, bytes.Repeat([]byte{protoSampleLabel<<3 | 2, 0}, many/2)), "elements"},
		"lines":            {message(protoLocation, bytes.Repeat([]byte{protoLocationLine<<3 | 2, 0}, many/2)), "elements"},
		"comments":         {message(protoComment, make([]byte, many)), "elements"},
		"strings":          {bytes.Repeat([]byte{protoString<<3 | 2, 0}, many/2), "elements"},
		"sample types":     {bytes.Repeat([]byte{protoSampleType<<3 | 2, 0}, many/2), "elements"},
		"samples":          {bytes.Repeat([]byte{protoSample<<3 | 2, 0}, many/2), "MiB of memory"},
		"locations":        {bytes.Repeat([]byte{protoLocation<<3 | 2, 0}, many/2), "MiB of memory"},
		"functions":        {bytes.Repeat([]byte{protoFunction<<3 | 2, 0}, many/2), "MiB of memory"},
		"mappings":         {bytes.Repeat([]byte{protoMapping<<3 | 2, 0}, many/2), "MiB of memory"},
		"labelled samples": {bytes.Repeat(message(protoSample, []byte{protoSampleLabel<<3 | 2, 0}), many/4), "MiB of memory"},
		"a long string":    {message(protoString, make([]byte, limits.MaxString+1)), "a name or label in the profile has 1048577 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			refuse(t, gzippedPprof(t, func(w io.Writer) { w.Write(c.content) }), c.want)
		})
	}
}

// Data of high compression is refused before it is unpacked completely.
func TestDataThatUnpacksToMuchMore(t *testing.T) {
	refuse(t, gzippedPprof(t, func(w io.Writer) {
		for range 300 {
			w.Write(make([]byte, 1<<20))
		}
	}), "too large for a profile")
}

// inlined returns a profile whose stacks have the given number of frames with inlined calls each.
func inlined(samples, frames, calls int) *profile.Profile {
	p := small()
	l := p.Location[0]
	for range calls - 1 {
		l.Line = append(l.Line, l.Line[0])
	}
	p.Sample = nil
	for range samples {
		s := &profile.Sample{Value: []int64{1}}
		for range frames {
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// Inlined calls multiply the frames of stacks.
func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		p    *profile.Profile
		want string
	}{
		"a deep stack":       {inlined(1, limits.MaxDepth+1, 1), "a stack of the profile has 65537 frames"},
		"deep by inlining":   {inlined(1, 1000, 1000), "a stack of the profile has 1000000 frames"},
		"many frames":        {inlined(100, 1000, 60), "more than 5000000 frames together"},
		"the deepest stacks": {inlined(2, limits.MaxDepth, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			data, _ := encoded(t, c.p)
			if c.want != "" {
				refuse(t, data, c.want)
			} else if _, err := Data(data); err != nil {
				t.Error(err)
			}
		})
	}
}

// A name counts once for each location that it is shown at.
func TestLongNameAtManyLocations(t *testing.T) {
	p := small()
	p.Function[0].Name = strings.Repeat("n", 1<<18)
	for range 600 {
		p.Location = append(p.Location, &profile.Location{ID: uint64(len(p.Location) + 1), Line: p.Location[0].Line})
	}
	data, _ := encoded(t, p)
	refuse(t, data, "names, paths and labels of the profile have more than 128 MiB")
}

func TestValuesThatOverflow(t *testing.T) {
	p := small()
	for range 3 {
		p.Sample = append(p.Sample, &profile.Sample{Location: p.Location, Value: []int64{-math.MaxInt64 / 2}})
	}
	data, _ := encoded(t, p)
	refuse(t, data, `the values of "samples" are too large to be summed`)
}

func TestTextFilesWithManyElements(t *testing.T) {
	fuzzbudget.NotUnderRace(t)
	const goHeap = "heap profile: 1: 2 [3: 4] @ heap/524288\n"
	const goHeader = " profile: total 1"
	const event = "a 1 1.000000: e: \n"
	for name, c := range map[string]struct{ text, want string }{
		"a deep folded stack":          {strings.Repeat("a;", 3_000_000) + "b 1\n", "line 1: a stack of the profile has 3000001 frames"},
		"bad folded lines":             {strings.Repeat("a 1\n"+strings.Repeat("b", 1000)+"\n", 50_000), ""},
		"folded stacks":                {strings.Repeat(strings.Repeat("a;", 999)+"a 1\n"+strings.Repeat("a;", 1000)+"a 1\n", 5000), ""},
		"a deep stack of perf":         {event + strings.Repeat(" 1 f (a)\n", 100_000) + "\n", "a stack of the profile has 100000 frames"},
		"stacks of perf":               {strings.Repeat(event+strings.Repeat(" 1 f (a)\n", 50_000)+"\n", 110), "elements"},
		"events of perf":               {strings.Repeat(event+"\n", 1_000_000), "MiB of memory"},
		"inlined frames of perf":       {event + strings.Repeat(" 1 f (inlined)\n", 3_000_000) + " 1 f (a)\n\n", "more than 65536 frames are inlined"},
		"a long line of perf":          {event + strings.Repeat(" ", maxLine) + "x\n\n", ""},
		"frames of perf without event": {event + " 1 f (a)\n\n" + strings.Repeat(" 1 f (a)\n", 1_000_000), ""},
		"kinds of events of perf":      {numbered("a 1 1.000000: e%d: \n\n", 100_000), ""},
		"values of events of perf":     {numbered("a 1 1.000000: e%d: \n\n", maxEvents) + strings.Repeat("a 1 1.000000: e0: \n\n", 300_000), "MiB of memory"},
		"mangled names in perf":        {event + numbered(" 1 _Z1fIJ"+strings.Repeat("i", 250)+"EEv"+strings.Repeat("DpRK", 150)+"T_%d (a)\n", 10_000) + "\n", ""},
		"addresses of Go":              {goHeap + strings.Repeat("1: 2 [3: 4] @ 0x1\n", 1_900_000), "older forms of pprof are read up to 32 MiB"},
		"a long header of Go":          {strings.Repeat("a", maxLine-len(goHeader)) + goHeader + "z\n1 @ 0x1\n", "neither a pprof file"},
		"mappings of Go":               {goHeap + strings.Repeat("1: 2 [3: 4] @ 0x1\n", 100_000) + "MAPPED_LIBRARIES:\n" + strings.Repeat("1-2: a\n", 100_000), "too many addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			if data := gzipped([]byte(c.text)); c.want != "" {
				refuse(t, data, c.want)
			} else if _, err := Data(data); err != nil {
				t.Error(err)
			}
		})
	}
}

// The library tries profile.proto before the older formats, so files of those are counted as profile.proto as well.
func TestFilesOfTwoFormsAreCounted(t *testing.T) {
	samples := bytes.Repeat([]byte{protoSample<<3 | 2, 0}, 12<<20)
	// A field with a number that is not in use holds the header. Its tag and its length are white space in UTF-8, U+0085 and a
	// line feed.
	const space = "\u0085\n"
	length, _ := binary.Uvarint([]byte(space))
	header := "heap profile: 1: 2 [3: 4] @ heap/524288\n"
	heap := space + space + header + strings.Repeat(" ", int(length)-len(header))
	// The last byte of the number is larger than fits into 64 bits. The library ignores the excess.
	overlong := append([]byte{protoComment << 3}, append(bytes.Repeat([]byte{0x80}, 9), 0x7f)...)
	for name, data := range map[string][]byte{
		"heap":                     append([]byte(heap), samples...),
		"heap, an overlong number": append(append([]byte(heap), overlong...), samples...),
		"gperftools":               append(gperftools(binary.BigEndian, 4, "", 0, 1, 0)[:12], append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, samples...)...),
	} {
		t.Run(name, func(t *testing.T) { refuse(t, gzipped(data), "MiB of memory") })
	}
	text := append([]byte("2 "+strings.Repeat("a", ' ')), append([]byte{protoSampleType<<3 | 2, 0}, samples...)...)
	refuse(t, gzipped(text), "neither a pprof file")
}

// numbered returns n lines, formatted with numbers from 0.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// picture returns an SVG with a payload of the given columns.
func picture(t *testing.T, columns []byte) []byte {
	t.Helper()
	const header = 56
	out := bytes.NewBuffer(make([]byte, header))
	z, err := flate.NewWriter(out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(columns)
	z.Close()
	b := out.Bytes()
	copy(b, "kpprof2\n")
	binary.LittleEndian.PutUint64(b[8:], uint64(len(b)-header))
	binary.LittleEndian.PutUint64(b[16:], uint64(len(columns)))
	sum := sha256.Sum256(b[header:])
	copy(b[24:], sum[:])
	return append([]byte("<svg>"), embed.SVG(b)...)
}

func TestSmallPicturesWithManyElements(t *testing.T) {
	const size = 60 << 20
	numbers := func(values ...uint64) (columns []byte) {
		for _, v := range values {
			columns = binary.AppendUvarint(columns, v)
		}
		return columns
	}
	// one string, which is empty; time, duration, period; no period type; four texts; no comments; a sample type; no mappings
	head := numbers(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
	with := func(after ...[]byte) []byte { return append(bytes.Clone(head), bytes.Join(after, nil)...) }
	zeros := make([]byte, size)
	for name, columns := range map[string][]byte{
		"locations": with(numbers(0, 4<<20), zeros),
		"functions": with(numbers(4<<20), zeros),
		"labels":    with(numbers(0, 0, 0, 0, 1, 4<<20), zeros),
		"label sets": with(numbers(0, 0, 0, 0, 1000),
			bytes.Repeat(append(numbers(10_000), make([]byte, 30_000)...), 1000), zeros[:1000]),
		"lines":   with([]byte{1, 1, 0, 0, 0}, numbers(10), make([]byte, 30), bytes.Repeat(numbers(4<<20), 10), []byte{2}, zeros),
		"samples": with(numbers(0, 0, 0, 0, 1, 0, 4<<20), zeros),
	} {
		t.Run(name, func(t *testing.T) { refuse(t, picture(t, columns), "the embedded profile is damaged: the profile") })
	}
	t.Run("zeros", func(t *testing.T) { refuse(t, picture(t, make([]byte, 120<<20)), "too large for a profile") })
}

// Pprof, which reads what profilers and targets send, accepts neither pictures nor text.
func TestPprofReadsNoOtherForms(t *testing.T) {
	for _, data := range []string{"a;b 1\n", "<svg></svg>", "goroutine profile: total 1\n1 @ 0x1\n"} {
		for _, d := range [][]byte{[]byte(data), gzipped([]byte(data))} {
			if _, err := Pprof(d); err == nil {
				t.Errorf("%q was read", data)
			}
		}
	}
	data, _ := encoded(t, small())
	if _, err := Pprof(data); err != nil {
		t.Error(err)
	}
}
