package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// builder builds a profile from stacks, root first as in the folded format, each with its process.
type builder struct {
	*profile.Profile
	functions map[string]*profile.Location
	binary    *profile.Mapping
	kernel    *profile.Mapping
}

func newBuilder() *builder {
	b := &builder{functions: map[string]*profile.Location{}}
	b.binary = &profile.Mapping{ID: 1, Start: 0x400000, Limit: 0x800000, File: "/shop", BuildID: "abc"}
	b.kernel = &profile.Mapping{ID: 2, Start: 0xffffffff80000000, Limit: 0xffffffffffffffff, File: "[kernel.kallsyms]"}
	b.Profile = &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "cpu",
		PeriodType:        &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:            10_000_000,
		TimeNanos:         time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano(),
		DurationNanos:     int64(10 * time.Second),
		Mapping:           []*profile.Mapping{b.binary, b.kernel},
		Comments: []string{"type: cpu", "pod: prod/shop-7d9f", "container: shop", "node: node-1",
			"image: shop:1.2", "frequency: 100 Hz", "lost samples: 0"},
	}
	return b
}

func (b *builder) add(pid int64, count int64, stack string) {
	names := strings.Split(stack, ";")
	s := &profile.Sample{
		Value: []int64{count, count * b.Period},
		Label: map[string][]string{"process": {"shop"}}, NumLabel: map[string][]int64{"pid": {pid}},
	}
	for i := len(names) - 1; i >= 0; i-- {
		s.Location = append(s.Location, b.location(names[i]))
	}
	b.Sample = append(b.Sample, s)
}

// location returns a Go function for a name with a dot, a kernel function for a name with the prefix "k:".
func (b *builder) location(name string) *profile.Location {
	if l := b.functions[name]; l != nil {
		return l
	}
	fn := &profile.Function{ID: uint64(len(b.functions) + 1), Name: name}
	l := &profile.Location{ID: fn.ID, Mapping: b.binary, Address: 0x400000 + fn.ID*16}
	if plain, ok := strings.CutPrefix(name, "k:"); ok {
		fn.Name, l.Mapping, l.Address = plain, b.kernel, 0xffffffff80000000+fn.ID*16
	} else if strings.HasPrefix(name, "github.com/") {
		fn.Filename = "/root/go/pkg/mod/" + strings.Join(strings.Split(name, "/")[:2], "/") + "/lib@v1.0.0/file.go"
	} else if strings.Contains(name, ".") {
		fn.Filename = "/src/file.go"
	}
	l.Line = []profile.Line{{Function: fn, Line: 1}}
	b.functions[name] = l
	b.Function, b.Location = append(b.Function, fn), append(b.Location, l)
	return l
}

func shop() *profile.Profile {
	b := newBuilder()
	b.add(1, 500, "runtime.main;main.main;net/http.(*conn).serve;main.checkout;main.priceCart")
	b.add(1, 200, "runtime.main;main.main;net/http.(*conn).serve;main.checkout;github.com/acme/tax.Rate[...]")
	b.add(1, 120, "runtime.mcall;runtime.findRunnable;k:do_futex")
	b.add(1, 50, "main.fib;main.fib;main.fib")
	b.add(1, 1, "libc_start;malloc")
	b.add(1, 90, "main.main;main.outer")
	outer := b.location("main.outer") // in which another function is inlined
	outer.Line = append([]profile.Line{{Function: &profile.Function{ID: uint64(len(b.Function) + 1), Name: "main.inlinedCallee", Filename: "/src/file.go"}, Line: 9}}, outer.Line...)
	b.Function = append(b.Function, outer.Line[0].Function)
	return b.Profile
}

func hostile() *profile.Profile {
	b := newBuilder()
	b.add(1, 10, "<script>alert(1)</script>;]]>;a\x1b[31mred\x00;\xff\xfe;"+strings.Repeat("é", 10_000))
	b.Comments = append(b.Comments, "partial: <b>\x07cut</b>")
	return b.Profile
}

func empty() *profile.Profile { return newBuilder().Profile }

func several() *profile.Profile {
	b := newBuilder()
	b.add(1, 3, "main.main;main.work")
	b.add(7, 5, "main.main;main.work")
	return b.Profile
}

// threaded has two processes, one with a pool of threads of the same name, and goroutine labels named like thread labels.
func threaded() *profile.Profile {
	b := newBuilder()
	b.Comments = append(b.Comments, "by: thread")
	for i, name := range []string{"worker", "worker", "", "acceptor"} {
		b.add(int64(1+i/3), int64(3+i), "main.main;main.work")
		s := b.Sample[i]
		s.Label["thread"], s.NumLabel["tid"] = []string{name, "of the goroutine"}, []int64{int64(10 + i)}
	}
	return b.Profile
}

// heap is a profile of Go's heap as in runtime/pprof: four types, bytes shown by default, and a site without live objects.
func heap() *profile.Profile {
	b := newBuilder()
	b.SampleType = []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}, {Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}}
	b.DefaultSampleType, b.DurationNanos = "inuse_space", 0
	b.PeriodType, b.Period = &profile.ValueType{Type: "space", Unit: "bytes"}, 524288
	b.Comments[0] = "type: heap"
	for _, s := range []struct {
		stack  string
		values []int64
	}{
		{"runtime.main;main.main;main.fill;main.newCart", []int64{5000, 5000 << 10, 4000, 4000 << 10}},
		{"runtime.main;main.main;main.fill;strings.(*Builder).grow", []int64{900, 900 << 20, 3, 3 << 20}},
		{"runtime.main;main.main;main.parse", []int64{70_000, 70_000 << 4, 0, 0}},
	} {
		b.add(1, 1, s.stack)
		b.Sample[len(b.Sample)-1].Value = s.values
		b.Sample[len(b.Sample)-1].NumLabel["bytes"] = []int64{1024}
		b.Sample[len(b.Sample)-1].NumUnit = map[string][]string{"bytes": {"bytes"}}
	}
	return b.Profile
}

// parked is a profile of goroutines with their states.
func parked() *profile.Profile {
	b := newBuilder()
	b.SampleType = []*profile.ValueType{{Type: "goroutine", Unit: "count"}}
	b.DefaultSampleType, b.PeriodType, b.Period, b.DurationNanos = "", &profile.ValueType{Type: "goroutine", Unit: "count"}, 1, 0
	b.Comments[0] = "type: goroutine"
	for _, g := range []struct {
		n             int64
		stack, reason string
	}{
		{10_000, "main.worker;runtime.chanrecv1;runtime.gopark", "chan receive"}, {3, "net/http.(*conn).serve;internal/poll.runtime_pollWait;runtime.gopark", "IO wait"},
		{2, "main.worker;main.compute", ""},
	} {
		b.add(1, g.n, g.stack)
		s := b.Sample[len(b.Sample)-1]
		s.Value = []int64{g.n}
		s.Label["state"] = []string{"running"}
		if g.reason != "" {
			s.Label["state"], s.Label["wait reason"] = []string{"waiting"}, []string{g.reason}
		}
	}
	return b.Profile
}

// noFaults is an empty profile of page faults.
func noFaults() *profile.Profile {
	b := newBuilder()
	b.SampleType, b.DefaultSampleType, b.Comments[0] = []*profile.ValueType{{Type: "faults", Unit: "count"}}, "faults", "type: faults"
	return b.Profile
}

var profiles = map[string]func() *profile.Profile{"shop": shop, "hostile": hostile, "empty": empty, "several": several, "threaded": threaded,
	"heap": heap, "parked": parked, "no-faults": noFaults}

func TestGoldenFiles(t *testing.T) {
	for name, make := range profiles {
		for _, f := range []Format{SVG, HTML, Folded, JSON, Text, Tree, Speedscope} {
			t.Run(name+"/"+string(f), func(t *testing.T) {
				p := make()
				if err := p.CheckValid(); err != nil {
					t.Fatal(err)
				}
				var got, again bytes.Buffer
				if err := errors.Join(Write(&got, p, f), Write(&again, make(), f)); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), again.Bytes()) {
					t.Error("the same profile gave different bytes")
				}
				got = *bytes.NewBuffer(drawing(got.Bytes()))
				golden := filepath.Join("testdata", name+f.Ending())
				if *update {
					if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("differs from %s (run with -update if this is intended):\n%.3000s", golden, got.Bytes())
				}
			})
		}
	}
}

// drawing returns a picture without its script and embedded profile, which other tests check.
func drawing(file []byte) []byte {
	if at := bytes.LastIndex(file, []byte("\n<script>")); at >= 0 {
		return append(file[:at:at], "\n…\n"...)
	}
	return file
}

func TestSVGIsWellFormed(t *testing.T) {
	for name, make := range profiles {
		var svg bytes.Buffer
		if err := Write(&svg, make(), SVG); err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(&svg); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	for _, f := range []Format{SVG, Folded, Text} {
		var out bytes.Buffer
		if err := Write(&out, hostile(), f); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(out.Bytes(), "\x1b\x00\x07") {
			t.Errorf("%s: a control character came through", f)
		}
		if f == SVG && bytes.Contains(out.Bytes(), []byte("<script>alert")) {
			t.Error("svg: markup from a function's name came through")
		}
	}
}

func TestPprofRoundTrip(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, shop(), Pprof); err != nil {
		t.Fatal(err)
	}
	back, err := profile.Parse(&out)
	if err != nil || len(back.Sample) != len(shop().Sample) {
		t.Errorf("%v, %v", back, err)
	}
}

func TestSummaryCountsRecursionOnce(t *testing.T) {
	for _, e := range Summarize(shop(), -1).Functions {
		if e.Name == "main.fib" && (e.Flat != e.Cum || e.Flat != 50*10_000_000) {
			t.Errorf("main.fib: flat %d, cum %d, want 50 samples for both", e.Flat, e.Cum)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]Format{
		"a.svg": SVG, "x/y.pb.gz": Pprof, "a.pprof": Pprof, "a.folded": Folded, "a.json": JSON, "a.txt": Text, "a.gif": "", "svg": "",
	} {
		if got, ok := FormatOf(path); got != want || ok != (want != "") {
			t.Errorf("FormatOf(%q) = %q, %v", path, got, ok)
		}
	}
	if err := Write(io.Discard, shop(), "gif"); err == nil || !strings.Contains(err.Error(), "svg") {
		t.Errorf("want an error that lists the formats, got %v", err)
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       kind
	}{
		{"main.main", "/src/main.go", kindOwn},
		{"shop/internal/cart.(*Cart).Price", "/src/internal/cart/cart.go", kindOwn}, // a module's path without a dot
		{"github.com/acme/shop/cart.Price", "github.com/acme/shop/cart/cart.go", kindOwn},
		{"github.com/acme/tax.Rate", "/root/go/pkg/mod/github.com/acme/tax@v1.2.0/rate.go", kindDependency},
		{"github.com/a/b.(*T).M", "github.com/a/b@v0.0.0-20250101000000-abcdefabcdef/m.go", kindDependency},
		{"gopkg.in/yaml%2ev3.Unmarshal", "/src/vendor/gopkg.in/yaml.v3/yaml.go", kindDependency},
		{"tax.Rate", "/root/go/pkg/mod/tax@v1.2.0/rate.go", kindDependency},
		{"runtime.mallocgc", "/go/src/runtime/malloc.go", kindRuntime}, {"internal/runtime/maps.(*Map).Get", "map.go", kindRuntime}, {"type:.eq.main.item", "x.go", kindRuntime},
		{"net/http.(*conn).serve", "/go/src/net/http/server.go", kindStandard}, {"slices.SortFunc[...]", "x.go", kindStandard},
		{"vendor/golang.org/x/net/http2/hpack.(*Decoder).Write", "/go/src/vendor/golang.org/x/net/http2/hpack/hpack.go", kindStandard},
		{"cmd/compile/internal/ssa.Compile", "/go/src/cmd/compile/internal/ssa/compile.go", kindStandard},
		{"main.Map[go.shape.struct { github.com/a/b.X int }]", "x.go", kindOwn},
		{"malloc", "malloc.c", kindNative}, {"malloc", "", kindNative},
	} {
		if got := kindOf(&profile.Function{Name: c.name, Filename: c.file}, nil); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.name, c.file, kindLook[got].word, kindLook[c.want].word)
		}
	}
	for file, kernel := range map[string]bool{
		"[ext4]": true, "[nf_conntrack]": true, "/lib/modules/6.1.0/kernel/fs/xfs/xfs.ko.xz": true, "/lib/modules/6.1.0/extra/zfs.ko": true,
		"[kernel.vmlinux]": true, "[ext4].init.text": true, "/proc/kcore": true, "[heap].x y": false, "[guest.kernel.kallsyms]": true, "/usr/lib/debug/boot/vmlinux-6.1.0-30-amd64": true,
		"/lib/modules/6.1.0/build/vmlinux": true, "vmlinux": true, "/boot/vmlinuz-6.1.0": true, "/root/.debug/.build-id/ab/cd/vmlinux": true,
		"bpf_prog_6deef7357e7b4530_probe": true, "bpf_prog_6deef7357e7b4530": true, "bpf_trampoline_6442": true, "[bpf]": true,
		"[vdso]": false, "[vsyscall]": false, "[heap]": false, "[stack]": false, "[anon]": false, "[anon:libc_malloc]": false, "[unknown]": false,
		"[JIT app cache]": false, "/srv/vmlinux-tool/bin/app": false, "/srv/bpf_prog_test": false, "/usr/lib/libko.so": false, "": false,
	} {
		if got := kindOf(&profile.Function{Name: "f"}, &profile.Mapping{File: file}) == kindKernel; got != kernel {
			t.Errorf("%s: kernel %v, want %v", file, got, kernel)
		}
	}
	if got := kindOf(&profile.Function{Name: "main.main", Filename: "x.go"}, &profile.Mapping{File: "[kernel.kallsyms]"}); got != kindKernel {
		t.Errorf("a kernel's function is %s", kindLook[got].word)
	}
}

// Functions of the same module have the same tint, functions of different modules mostly different ones.
func TestDependenciesHaveTheirModulesTint(t *testing.T) {
	of := func(name string) int {
		return slices.Index(palette[kindDependency], color(frame{name, kindDependency})) / shades
	}
	for _, same := range [][2]string{{"github.com/acme/tax.Rate", "github.com/acme/tax/table.(*T).Row"}, {"k8s.io/client-go/tools/cache.Get", "k8s.io/client-go/rest.New"}, {"golang.org/x/net/http2.f", "golang.org/x/net/trace.g"}} {
		if of(same[0]) != of(same[1]) {
			t.Errorf("%s and %s are of one module", same[0], same[1])
		}
	}
	seen := map[int]bool{}
	for i := range 20 {
		seen[of(fmt.Sprintf("github.com/acme/lib%d.F", i))] = true
	}
	if len(seen) != tints {
		t.Errorf("20 modules have %d tints", len(seen))
	}
}

func TestShortNames(t *testing.T) {
	for name, want := range map[string]string{
		"main.main": "main.main",
		"slices.SortFunc[go.shape.[]main.item,go.shape.struct { X int }]": "slices.SortFunc[...]",
		"main.(*Tree[go.shape.int]).Insert":                               "main.(*Tree[...]).Insert",
		"main.Map[go.shape.map[string]int,go.shape.[]uint8].func1":        "main.Map[...].func1",
	} {
		if got := shortName(&profile.Function{Name: name, Filename: "x.go"}); got != want {
			t.Errorf("shortName(%q) = %q, want %q", name, got, want)
		}
	}
	const array = "operator new[](unsigned long)"
	if got := shortName(&profile.Function{Name: array}); got != array {
		t.Errorf("C++ has brackets of other meaning: %q", got)
	}
}

// A stack of a few thousand frames can be written in all formats.
func TestDeepStack(t *testing.T) {
	b := newBuilder()
	b.add(1, 1, strings.TrimSuffix(strings.Repeat("main.down;", 5000), ";"))
	for _, f := range []Format{SVG, Folded, JSON, Text} {
		if err := Write(io.Discard, b.Profile, f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		name  string
		width float64
		want  string
	}{
		{"main.checkout", 200, "main.checkout"},
		{"net/http.(*conn).serve", 6.5 + 10*CharWidth, "…nn).serve"},
		{"é日本語éé", 6.5 + 4*CharWidth, "…語éé"},
		{"main.checkout", 20, ""},
	} {
		if got := fit(c.name, c.width); got != c.want {
			t.Errorf("fit(%q, %g) = %q, want %q", c.name, c.width, got, c.want)
		}
	}
}
