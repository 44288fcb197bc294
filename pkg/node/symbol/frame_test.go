package symbol

import "testing"

func TestDemangling(t *testing.T) {
	for name, want := range map[string]string{"_ZN3foo3barEi": "foo::bar(int)", "_RNvC6_123foo3bar": "123foo::bar", "plain": "plain"} {
		if got := demangled(name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A name in which every part refers twice to the part before it is not expanded.
func TestDemangledNamesAreLimited(t *testing.T) {
	name := "_Z1f1AIiiE"
	for _, part := range []string{"S_", "S0_", "S1_", "S2_", "S3_", "S4_", "S5_", "S6_", "S7_", "S8_", "S9_", "SA_", "SB_", "SC_", "SD_"} {
		name += "S_I" + part + part + "E"
	}
	if got := len(demangled(name)); got > 4<<10 {
		t.Errorf("%d bytes of a symbol became %d", len(name), got)
	}
}

func FuzzDemangle(f *testing.F) {
	f.Add("_ZN3foo3barEi")
	f.Add("_RNvC6_123foo3bar")
	f.Fuzz(func(t *testing.T, name string) {
		if got := demangled(name); len(got) > 1<<maxDemangled && got != name {
			t.Errorf("%d bytes of a symbol became %d", len(name), len(got))
		}
	})
}
