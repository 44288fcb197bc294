package render

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/stacks"
)

// randomStacks uses few names, so that stacks share frames, recur, are prefixes of each other, and have the same name at several
// addresses.
func randomStacks(seed uint64) *profile.Profile {
	r, b := rand.New(rand.NewPCG(seed, 3)), newBuilder()
	for range 1 + r.IntN(60) {
		names := make([]string, 1+r.IntN(9))
		for i := range names {
			names[i] = []string{"main.a", "main.b", "main.c", "k:d", "e"}[r.IntN(5)]
		}
		b.add(int64(1+r.IntN(2)), int64(r.IntN(50)), strings.Join(names, ";"))
	}
	return b.Profile
}

// plainTree merges stacks one node at a time, as a reference.
func plainTree(p *profile.Profile) *node {
	index, above := valueIndex(p), levelsOf(p)
	root := &node{frame: frame{"all", kindProcess}, inlined: false}
	for _, s := range p.Sample {
		if s.Value[index] == 0 {
			continue
		}
		stack := levelFrames(s, above)
		for _, l := range slices.Backward(s.Location) {
			frames, _ := locationFrames(l)
			stack = append(stack, frames...)
		}
		at := root
		at.total += s.Value[index]
		for _, f := range stack {
			i := slices.IndexFunc(at.children, func(c *node) bool { return c.frame == f })
			if i < 0 {
				i = len(at.children)
				at.children = append(at.children, &node{frame: f})
			}
			at = at.children[i]
			at.total += s.Value[index]
		}
		at.self += s.Value[index]
	}
	root.walk(func(n *node, _ int) {
		slices.SortFunc(n.children, func(a, b *node) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind)) })
	})
	return root
}

// The columns hold the same tree as linked nodes.
func TestFlameEqualsLinkedTree(t *testing.T) {
	for seed := range uint64(200) {
		p := randomStacks(seed)
		f, at := newFlame(p), int32(0)
		plainTree(p).walk(func(n *node, depth int) {
			if int(at) >= len(f.total) {
				t.Fatalf("seed %d: too few nodes", seed)
			}
			if f.at(at) != n.frame || f.total[at] != n.total || f.self[at] != n.self || int(f.depth[at]) != depth {
				t.Fatalf("seed %d, node %d: %v %d %d, want %v %d %d", seed, at, f.at(at), f.total[at], f.self[at], n.frame, n.total, n.self)
			}
			at++
		})
		if int(at) != len(f.total) {
			t.Fatalf("seed %d: %d nodes, want %d", seed, len(f.total), at)
		}
	}
}

// Boxes do not overlap, and the callees of a node, runs of narrow ones included, do not exceed it.
func TestBoxesFit(t *testing.T) {
	f := newFlame(stacks.New(3000))
	for _, threshold := range thresholds {
		ends := map[int32]int32{} // right end of the last box of a row
		boxes, _ := f.boxes(1180, threshold, math.MaxInt32)
		for _, b := range boxes {
			if b.x < ends[b.row] {
				t.Fatalf("at %g px row %d overlaps at %d", threshold, b.row, b.x)
			}
			ends[b.row] = b.x + b.width
			if b.smaller == 0 && b.value != f.total[b.node] {
				t.Fatalf("a box says %d of a node of %d", b.value, f.total[b.node])
			}
		}
	}
}

// A run of narrow siblings has the number of its frames and the sum of their values.
func TestSmallerIsExact(t *testing.T) {
	b := newBuilder()
	b.add(1, 10_000, "main.main;main.large")
	for _, name := range []string{"main.a", "main.b;main.deep", "main.c"} {
		b.add(1, 1, "main.main;"+name)
	}
	boxes, _ := newFlame(b.Profile).boxes(1000, 0.25, math.MaxInt32)
	for _, got := range boxes {
		if got.smaller != 0 && (got.smaller != 4 || got.value != 3*b.Period) {
			t.Errorf("%d smaller of %d, want 4 of %d", got.smaller, got.value, 3*b.Period)
		} else if got.smaller != 0 {
			return
		}
	}
	t.Error("the narrow frames are not drawn at all")
}

func TestRankingEqualsSummary(t *testing.T) {
	for seed := range uint64(50) {
		p := randomStacks(seed)
		want := Summarize(p, ranked).Functions
		for i, got := range newFlame(p).ranking(ranked) {
			if got != want[i] {
				t.Fatalf("seed %d, place %d: %v, want %v", seed, i, got, want[i])
			}
		}
	}
}

func TestPicturesStayInTheirBudgets(t *testing.T) {
	p := stacks.New(30_000)
	for _, f := range []Format{SVG, HTML} {
		var out bytes.Buffer
		if err := Write(&out, p, f); err != nil {
			t.Fatal(err)
		}
		if out.Len() > svgBudget {
			t.Errorf("%s: %d bytes", f, out.Len())
		}
		back, err := Read(&out)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := totals(back), totals(p); got.Total != want.Total || len(back.Sample) != len(p.Sample) {
			t.Errorf("%s: %d of %d samples came back", f, len(back.Sample), len(p.Sample))
		}
	}
}

func TestFitDropsTypeArgumentsFirst(t *testing.T) {
	if got := fit("slices.insertionSortCmpFunc[...]", 6.5+14*CharWidth); got != "…onSortCmpFunc" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutTemplateArguments(t *testing.T) {
	for name, want := range map[string]string{
		"std::vector<int, std::allocator<int>>::push_back(int const&)": "std::vector‹…›::push_back(int const&)",
		"operator<<(std::ostream&, int)":                               "operator<<(std::ostream&, int)",
		"std::function<void ()->int>::call":                            "std::function‹…›::call",
		"<alloc::vec::Vec<T> as core::Clone>::clone":                   "<alloc::vec::Vec‹…› as core::Clone>::clone",
		"core::iter::collect::<Vec<u8>>":                               "core::iter::collect::‹…›",
		"main.less<":                                                   "main.less<",
		"(anonymous namespace)::run":                                   "(anonymous namespace)::run",
	} {
		if got := withoutTemplateArguments(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
