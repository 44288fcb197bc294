package render

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// stacksOf returns a profile with the given number of stacks, in which no frame has the same callers as another, of functions
// with long names.
func stacksOf(stacks, depth, nameLength int) *profile.Profile {
	b := newBuilder()
	var functions []*profile.Location
	for i := range 16 {
		functions = append(functions, b.location(strings.Repeat(string(rune('a'+i)), nameLength)))
	}
	for i := range stacks {
		s := &profile.Sample{Value: []int64{1, 1}}
		for k := range depth {
			s.Location = append(s.Location, functions[(i>>(4*(k%8))+k)%16])
		}
		b.Sample = append(b.Sample, s)
	}
	return b.Profile
}

// The writers neither recurse nor hold a tree of objects: they write the deepest stack, and the most frames, in little memory.
func TestLargestProfilesAreWritten(t *testing.T) {
	fuzzbudget.NotUnderRace(t)
	for name, p := range map[string]*profile.Profile{
		"the deepest stack": stacksOf(1, limits.MaxDepth, 10),
		"many frames":       stacksOf(40_000, 25, 10),
	} {
		if err := limits.Check(p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range Formats() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := Write(io.Discard, p, f)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; err != nil || n > 512<<20 {
				t.Errorf("%s as %s: %v, %d MiB allocated", name, f, err, n>>20)
			}
		}
	}
}

// A small profile of long names does not become a file of gigabytes: writing stops with an error or leaves frames out.
func TestLongNamesInManyStacks(t *testing.T) {
	p := stacksOf(20_000, 50, 100_000)
	for _, f := range Formats() {
		var out counter
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Write(&out, p, f)
		runtime.ReadMemStats(&after)
		if err != nil && !strings.Contains(err.Error(), "more than 512 MiB as "+string(f)) {
			t.Errorf("%s: %v", f, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; int(out) > limits.MaxFile || n > 1<<30 {
			t.Errorf("%s: %d MiB written, %d MiB allocated", f, out>>20, n>>20)
		}
	}
}

// counter counts the bytes that are written.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func TestLongNamesAreCut(t *testing.T) {
	f := &profile.Function{Name: strings.Repeat("é", maxName)}
	if name := FunctionName(f); len(name) != maxName+len("…") || !strings.HasSuffix(name, "é…") {
		t.Errorf("%d bytes, the end is %q", len(name), name[len(name)-8:])
	}
	f.Name = f.Name[:maxName]
	if name := FunctionName(f); name != f.Name {
		t.Errorf("a name of %d bytes became one of %d", len(f.Name), len(name))
	}
}

func TestNoSampleType(t *testing.T) {
	for _, f := range Formats() {
		if err := Write(io.Discard, &profile.Profile{}, f); err == nil || !strings.Contains(err.Error(), "no sample type") {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// The tree in JSON is the tree of frames, though it is written without a tree of objects.
func TestJSONTree(t *testing.T) {
	type object struct {
		Name        string
		Value, Self int64
		Children    []object
	}
	var expected func(n *node) object
	expected = func(n *node) object {
		o := object{Name: n.name, Value: n.total, Self: n.self}
		for _, c := range n.children {
			o.Children = append(o.Children, expected(c))
		}
		return o
	}
	empty := shop()
	empty.Sample = nil
	for name, p := range map[string]*profile.Profile{"shop": shop(), "large": large(300), "hostile": hostile(), "empty": empty} {
		var out bytes.Buffer
		if err := Write(&out, p, JSON); err != nil {
			t.Fatal(err)
		}
		var doc struct{ Root object }
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(expected(newTree(p)), doc.Root) {
			t.Errorf("%s: the tree differs from the frames: %.2000s", name, out.String())
		}
	}
}
