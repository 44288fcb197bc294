//go:build linux

package kallsyms

import (
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestParse(t *testing.T) {
	const list = "ffff0000 T _text\nffff0010 t first\nffff0010 T first_alias\nffff0020 D data\nffff0030 W second\nfffe0000 t $x\t[mod]\nfffe0000 t mod_fn\t[mod]\nfffe0004 t $x.1\t[mod]\nbroken\n"
	got, err := parse(strings.NewReader(list), []uint64{0xfffe0008, 0xffff0010, 0xffff0011, 0xffff0025, 0xffff0099})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]Symbol{
		0xfffe0008: {"mod_fn", "mod"}, 0xffff0010: {"first", ""}, 0xffff0011: {"first", ""},
		0xffff0025: {"first", ""}, 0xffff0099: {"second", ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The list is read only as far as needed, but to its end where symbols may follow that are closer to an address.
func TestListIsReadAsFarAsNeeded(t *testing.T) {
	const kernel = "ffff0010 T first\nffff0020 T second\nffff0030 T third\nffff0040 T fourth\n"
	for name, c := range map[string]struct {
		list      string
		addresses []uint64
		whole     bool
	}{
		"within the kernel":       {kernel, []uint64{0xffff0011, 0xffff0021}, false},
		"at the last function":    {kernel, []uint64{0xffff0041}, true},
		"below the kernel":        {kernel, []uint64{0xfffe0000, 0xffff0011}, true},
		"between modules":         {"ffff0010 T first\nffff2000 t b\t[mod2]\nffff1000 t a\t[mod1]\n", []uint64{0xffff1010}, true},
		"a list that is unsorted": {"ffff0010 T first\nffff0040 T fourth\nffff0020 T second\n", []uint64{0xffff0021, 0xffff0041}, true},
	} {
		t.Run(name, func(t *testing.T) {
			list := c.list + strings.Repeat("ffff0000 D data\n", 10_000)
			r := strings.NewReader(list)
			got, err := parse(r, c.addresses)
			if err != nil {
				t.Fatal(err)
			}
			if whole := r.Len() == 0; whole != c.whole {
				t.Errorf("%d of %d bytes were left", r.Len(), len(list))
			}
			want := map[uint64]string{0xffff0011: "first", 0xffff0021: "second", 0xffff0041: "fourth", 0xffff1010: "a"}
			for _, a := range c.addresses {
				if got[a].Name != want[a] {
					t.Errorf("%#x is %q, want %q", a, got[a].Name, want[a])
				}
			}
		})
	}
}

func TestHiddenAddresses(t *testing.T) {
	got, err := parse(strings.NewReader("0000000000000000 T _text\n0000000000000000 t first\n"), []uint64{0xffff0010})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
}

func FuzzKallsyms(f *testing.F) {
	f.Add("ffff0000 T _text\nfffe0000 t mod_fn\t[mod]\nbroken\n", uint64(0xffff0010))
	f.Add("ffffffffffffffff t \n 0 T\n", uint64(1<<64-1))
	f.Fuzz(func(t *testing.T, text string, address uint64) {
		fuzzbudget.Enforce(t)
		parse(strings.NewReader(text), []uint64{address})
	})
}
