//go:build linux

package golang

import (
	"errors"
	"maps"
	"testing"
	"time"
)

// onlyUpTo makes Go 1.minor the newest known version during a test.
func onlyUpTo(t *testing.T, minor int) {
	t.Helper()
	all := maps.Clone(layouts)
	t.Cleanup(func() { layouts = all })
	maps.DeleteFunc(layouts, func(m int, _ layout) bool { return m > minor })
}

// A version is treated as newer than the newest known one. Go 1.26 changed the layout of goroutines and
// not that of memory records, so only its goroutines are refused. With Go 1.27 it is the other way round.
func TestNewerVersionsAreCheckedBeforeTheyAreRead(t *testing.T) {
	for _, c := range []struct {
		version            string
		known              int // the newest version
		memory, goroutines error
	}{
		{"local", 25, nil, ErrUnsupported},
		{"1.27.3", 26, ErrUnsupported, nil},
	} {
		t.Run(c.version, func(t *testing.T) {
			r, _, _ := start(t, build(t, c.version, "amd64", "hammer", "-ldflags=-s"))
			if r.IsNewer() {
				t.Fatal("a known version is taken for a newer one")
			}
			word := rateWordOf(t, r)
			if err := word.replace(word.Old, 4096); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				p, err := r.MemTotals(t.Context())
				if err == nil && len(p.Records) > 50 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the program samples no allocations: %v", err)
				}
			}
			onlyUpTo(t, c.known)
			r.layout = layouts[c.known]
			if c.memory != nil {
				r.minor = c.known // its records
				if err := checkRecordSize(r.lists[memBucket], 4*r.cycleWords()); !errors.Is(err, c.memory) {
					t.Errorf("records of another size: %v", err)
				}
				r.minor = c.known + 1
			}
			if !r.IsNewer() {
				t.Fatal("a newer version is taken for a known one")
			}
			if _, err := r.MemProfile(t.Context()); c.memory == nil && err != nil {
				t.Errorf("records of the same size: %v", err)
			}
			if _, err := r.GoroutineReader(); !errors.Is(err, c.goroutines) {
				t.Errorf("goroutines: %v, want %v", err, c.goroutines)
			}
		})
	}
}

func (b bucket) moved(by uint64) bucket {
	b.address += by
	b.record += by
	return b
}

func TestCheckRecordSize(t *testing.T) {
	const words = 16
	list := func(n int, size uint64) (all []bucket) {
		at := uint64(0xc000000000)
		for range n {
			all = append(all, bucket{address: at, pcs: make([]uint64, 3), record: at + bucketHeader + 24})
			at += bucketHeader + 24 + size
		}
		return all
	}
	for name, c := range map[string]struct {
		buckets []bucket
		ok      bool
	}{
		"none":               {nil, true},
		"one":                {list(1, 8*words), true},
		"adjacent":           {list(50, 8*words), true},
		"smaller":            {list(50, 8*words-16), false},
		"larger":             {list(50, 8*words+16), false},
		"never adjacent":     {list(50, 8*words+4096), false},
		"itabs between":      {append(list(20, 8*words), list(1, 8*words)[0].moved(20*(bucketHeader+24+8*words)+32)), true},
		"few, far apart":     {list(3, 8*words+4096), true},
		"new chunks between": {append(list(20, 8*words), bucket{address: 0xc100000000, record: 0xc100000000 + bucketHeader}), true},
	} {
		if err := checkRecordSize(c.buckets, words); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
