package read

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// Attributes of a memory map that contain one another would expand to gigabytes.
func TestAttributesOfMemoryMapsAreRefused(t *testing.T) {
	var text strings.Builder
	text.WriteString("heap profile: 1: 1 [1: 1] @ heap/1048576\n1: 1 [1: 1] @ 0x1\n--- Memory map: ---\nqa=zzzzzzzzzzzzzzzz\n")
	for i := range 10 {
		fmt.Fprintf(&text, "q%c=%s\n", 'b'+i, strings.Repeat(fmt.Sprintf("$q%c", 'a'+i), 8))
	}
	if _, err := Data([]byte(text.String())); err == nil || !strings.Contains(err.Error(), "attributes") {
		t.Errorf("got %v", err)
	}
}

// Attributes that only shorten paths are replaced.
func TestAttributesOfMemoryMaps(t *testing.T) {
	const text = "heap profile: 1: 1 [1: 1] @ heap/1048576\n1: 1 [1: 1] @ 0x401000\n--- Memory map: ---\nsource=/home\n00400000-00500000: $source/app\n"
	if p := readText(t, text); len(p.Mapping) == 0 || p.Mapping[0].File != "/home/app" {
		t.Errorf("mappings %v", p.Mapping)
	}
	many := strings.Replace(text, "source=/home\n", "source=/home\n"+strings.Repeat("a=b\n", maxAttributes), 1)
	long := strings.Replace(text, "$source", strings.Repeat("$source", 1<<10), 1)
	long = strings.Replace(long, "/home", strings.Repeat("x", maxExpanded>>10), 1)
	nested := strings.Replace(text, "source=/home\n", "a=q=zzzz\n$a$a$a$a\n$q$q$q$q\n", 1)
	for _, text := range []string{many, long, nested} {
		if _, err := Data([]byte(text)); err == nil || !strings.Contains(err.Error(), "attributes") {
			t.Errorf("got %v", err)
		}
	}
}

// gperftools returns a CPU profile of gperftools with the given words after its header.
func gperftools(order binary.AppendByteOrder, size int, maps string, words ...uint64) (data []byte) {
	for _, w := range append([]uint64{0, 3, 0, 10_000, 0}, words...) {
		if size == 4 {
			data = order.AppendUint32(data, uint32(w))
		} else {
			data = order.AppendUint64(data, w)
		}
	}
	return append(data, maps...)
}

func TestCPUProfilesOfGperftools(t *testing.T) {
	const maps = "00400000-00500000 r-xp 00000000 08:01 123 /srv/app\n"
	stacks := []uint64{7, 2, 0x401000, 0x402000, 3, 1, 0x402000, 0, 1, 0}
	for name, data := range map[string][]byte{
		"64 bits":             gperftools(binary.LittleEndian, 8, maps, stacks...),
		"64 bits, gzipped":    gzipped(gperftools(binary.LittleEndian, 8, maps, stacks...)),
		"32 bits":             gperftools(binary.LittleEndian, 4, maps, stacks...),
		"32 bits, big endian": gperftools(binary.BigEndian, 4, maps, stacks...),
		"without a map":       gperftools(binary.LittleEndian, 8, "", stacks...),
	} {
		p, err := Data(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var samples, cpu int64
		for _, s := range p.Sample {
			samples, cpu = samples+s.Value[0], cpu+s.Value[1]
		}
		if samples != 10 || time.Duration(cpu) != 100*time.Millisecond || p.Period != 10_000_000 {
			t.Errorf("%s: %d samples of %v, period %d", name, samples, time.Duration(cpu), p.Period)
		}
		if m := p.Location[0].Mapping; name != "without a map" && m.File != "/srv/app" {
			t.Errorf("%s: mapping %v", name, m)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut off":       {gperftools(binary.LittleEndian, 8, "", stacks[:5]...), "cut off"},
		"a false depth": {gperftools(binary.LittleEndian, 8, "", 1, 1<<62, 5), "cut off"},
		"a deep stack":  {gperftools(binary.LittleEndian, 4, "", append([]uint64{1, 70_000}, make([]uint64, 70_003)...)...), "a stack of the profile has 70000 frames"},
		"many addresses": {gzipped(gperftools(binary.LittleEndian, 4, "", func() (words []uint64) {
			for i := range uint64(1_400_000) {
				words = append(words, 1, 1, i)
			}
			return words
		}()...)), "MiB of memory"},
		"many mappings": {gzipped(gperftools(binary.LittleEndian, 4, "MAPPED_LIBRARIES:\n"+strings.Repeat("1-2: a\n", 1_000_000), func() (words []uint64) {
			for i := range uint64(5000) {
				words = append(words, 1, 1, i+1)
			}
			return append(words, 0, 1, 0)
		}()...)), "too many addresses"},
	} {
		if len(c.data) > 1<<20 {
			if _, err := Data(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
			continue
		}
		refuse(t, c.data, c.want)
	}
}

func TestTextFormsOfGo(t *testing.T) {
	const goroutines = "goroutine profile: total 12\n10 @ 0x43a1d6 0x6d1a05 0x46a981\n# labels: {\"a\":\"b\"}\n#\t0x6d1a04\tmain.worker+0x44\t\t/src/main.go:20\n\n" +
		"2 @ 0x43a1d6 0x6d1b05\n#\t0x6d1b04\tmain.(*T[...]).run+0x84\t/src/main.go:40\n\n"
	const wantGoroutines = "main.(*T[...]).run [2]\nmain.worker [10]"
	for name, c := range map[string]struct{ text, typ, want string }{
		"goroutines":           {goroutines, "goroutine", wantGoroutines},
		"goroutines, CRLF":     {strings.ReplaceAll(goroutines, "\n", "\r\n"), "goroutine", wantGoroutines},
		"goroutines, bad line": {goroutines + "what is this\n", "goroutine", wantGoroutines},
		"threads":              {"threadcreate profile: total 7\n6 @ \n#\t0x0\n\n1 @ 0x2\n#\t0x1\truntime.newm+0x1\t/go/proc.go:2\n", "threadcreate", " [6]\nruntime.newm [1]"},
		"threads, zeros":       {"threadcreate profile: total 4\n4 @ 0x0 0x0 0x0\n#\t0x0\n\n", "threadcreate", " [4]"},
		"a program's own":      {"open files profile: total 2\n2 @ 0x2\n#\t0x1\tmain.open+0x1\t/a.go:2\n", "open files", "main.open [2]"},
		"mutex":                {"--- mutex:\ncycles/second=2000000000\nsampling period=1\n4000000 2 @ 0x6d1a05\n#\t0x6d1a04\tmain.unlock+0x44\t/src/main.go:20\n", "contentions", "main.unlock [2 2000000]"},
		"heap, from main": {"heap profile: 3: 3072 [3: 3072] @ heap/2\n3: 3072 [3: 3072] @ 0x5 0x6d1a05 0x11 0x21\n" +
			"#\t0x6d1a04\tmain.grow+0x44\t/src/main.go:20\n#\t0x10\truntime.main+0x1\t/go/proc.go:2\n", "objects", "runtime.main;main.grow [3 3072]"},
		"code without names": {"goroutine profile: total 1\n1 @ 0x2 0x12 0x22 0x32\n#\t0x1\n#\t0x11\tmain.f+0x1\t/a.go:2\n#\t0x21\n", "goroutine", ";main.f; [1]"},
		"heap":               {"heap profile: 3: 3072 [3: 3072] @ heap/2\n3: 3072 [3: 3072] @ 0x6d1a05\n#\t0x6d1a04\tmain.grow+0x44\t/src/main.go:20\n", "objects", "main.grow [3 3072]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := readText(t, c.text)
			for _, l := range p.Location { // what the text does not name
				if len(l.Line) == 0 {
					l.Line = []profile.Line{{Function: &profile.Function{}}}
				}
			}
			if got := stacks(p); got != c.want || p.SampleType[0].Type != c.typ {
				t.Errorf("%s, got\n%s\nwant\n%s", p.SampleType[0].Type, got, c.want)
			}
			if noted := len(p.Comments) > 0; noted != strings.Contains(name, "bad line") {
				t.Errorf("comments %q", p.Comments)
			}
		})
	}
}
