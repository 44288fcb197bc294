package read

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The files in testdata are read as in their golden files.
func TestGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := File(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(p.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || p.String() != string(want) {
				t.Errorf("%v; differs from %s (run with -update if this is intended):\n%s", err, golden, p)
			}
		})
	}
}

// readText returns the profile in a text file with the given content.
func readText(t *testing.T, text string) *profile.Profile {
	t.Helper()
	p, err := Data([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkNotes fails unless the notes contain the given text, or there are none for "".
func checkNotes(t *testing.T, notes []string, want string) {
	t.Helper()
	if all := strings.Join(notes, "\n"); !strings.Contains(all, want) || want == "" && all != "" {
		t.Errorf("notes %q, want %q", all, want)
	}
}

func small() *profile.Profile {
	f := &profile.Function{ID: 1, Name: "main.main"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}},
		Function:   []*profile.Function{f}, Location: []*profile.Location{l},
		Sample: []*profile.Sample{{Location: []*profile.Location{l, l}, Value: []int64{7}}},
	}
}

func encoded(t testing.TB, p *profile.Profile) (compressed, plain []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := errors.Join(p.Write(&a), p.WriteUncompressed(&b)); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func TestFormIsDetectedFromContent(t *testing.T) {
	compressed, plain := encoded(t, small())
	for name, data := range map[string][]byte{
		"pprof":             compressed,
		"pprof, plain":      plain,
		"folded":            []byte("main.main;main.main 7\n"),
		"folded, gzipped":   gzipped([]byte("main.main;main.main 7\n")),
		"folded, on a Mac":  []byte("# comment\r\n\r\nmain.main;main.main 7\r\n"),
		"folded, in pieces": []byte("main.main;main.main 3\nmain.main;main.main 4"),
		"perf script":       []byte(strings.Repeat("main 1 2.000000: cycles: \n\t 12 main.main+0x4 (a)\n\t 12 main.main+0x4 (a)\n\n", 7)),
	} {
		p, err := Data(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[0]
			if len(s.Location) != 2 || s.Location[0].Line[0].Function.Name != "main.main" {
				t.Errorf("%s: stack %v", name, s.Location)
			}
		}
		if sum != 7 {
			t.Errorf("%s: %d samples, want 7", name, sum)
		}
	}
}

func TestErrors(t *testing.T) {
	compressed, plain := encoded(t, small())
	noTypes, overflow, lowest := small(), small(), small()
	noTypes.SampleType, noTypes.Sample = nil, nil
	overflow.Sample = append(overflow.Sample, &profile.Sample{Location: overflow.Location, Value: []int64{1<<63 - 1}})
	lowest.Sample[0].Value[0] = -1 << 63
	types, _ := encoded(t, noTypes)
	large, _ := encoded(t, overflow)
	low, _ := encoded(t, lowest)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":               {nil, "the file is empty"},
		"prose":               {[]byte("Dear reader,\n"), "neither a pprof file, nor the output of perf script, nor folded stacks"},
		"a program":           {[]byte("\x7fELF\x02\x01\x01\x00\x00"), "a program or a core dump, not a profile"},
		"pprof cut off":       {compressed[:len(compressed)-9], "the file is cut off"},
		"a lone gzip header":  {compressed[:5], "the file is cut off"},
		"gzip damaged":        {bytes.Replace(compressed, compressed[12:16], []byte("abcd"), 1), "decompressing"},
		"plain pprof cut off": {plain[:len(plain)-3], "the file is cut off"},
		"perf.data":           {[]byte("PERFILE2h\x00\x00\x00"), "perf script -i FILE"},
		"heap cut off":        {[]byte("heap profile: 1: 2 [3: 4] @ heap/524288\n1: 2 [3:"), "begins like an older text form of pprof"},
		"binary cut off":      {plain[:len(plain)-3], "or it is not a pprof file: copy it again"},
		"no types":            {types, "no sample type"},
		"overflow":            {large, "too large to be summed"},
		"lowest value":        {low, "out of range"},
		"mostly not folded":   {[]byte("a;b 10\na;c;d\ne\n"), "neither a pprof file, nor the output of perf script, nor folded stacks"},
		"folded overflow":     {[]byte("a 9223372036854775807\na 1\n"), "too large to be summed"},
		"svg of others":       {[]byte("<?xml version='1.0'?>\n<svg></svg>"), "no embedded profile"},
	} {
		if _, err := Data(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestFileErrorsNameTheFile(t *testing.T) {
	if _, err := File(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Error(err)
	}
	if _, err := File("-", strings.NewReader("")); err == nil || err.Error() != "stdin: the file is empty" {
		t.Error(err)
	}
}

func FuzzData(f *testing.F) {
	compressed, plain := encoded(f, small())
	f.Add(compressed)
	f.Add(plain)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		p, err := Data(data)
		if err != nil {
			return
		}
		if err := p.CheckValid(); err != nil || len(p.SampleType) == 0 {
			t.Errorf("%v, %d types", err, len(p.SampleType))
		}
	})
}

// Some programs mark code without lines by negative numbers, which pictures cannot hold.
func TestNegativeLinesAreUnknown(t *testing.T) {
	p := small()
	p.Location[0].Line[0].Line, p.Function[0].StartLine = -2, -1
	data, _ := encoded(t, p)
	got, err := Data(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Location[0].Line[0].Line != 0 || got.Function[0].StartLine != 0 {
		t.Errorf("lines %v, start %d", got.Location[0].Line, got.Function[0].StartLine)
	}
}
