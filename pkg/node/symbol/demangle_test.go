//go:build linux

package symbol

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

func TestDemangling(t *testing.T) {
	long := "_Z1f" + strings.Repeat("1a", maxMangled/2)
	for name, want := range map[string]string{
		"_ZN3foo3barEi":      "foo::bar(int)",
		"_ZN3foo3barEi@plt":  "foo::bar(int)@plt",
		"_RNvC6_123foo3bar":  "123foo::bar",
		"plain":              "plain",
		"main.f":             "main.f",
		"_Zno":               "_Zno",
		long:                 long,
		"_Z1fi.constprop.0":  "f(int) [clone .constprop.0]",
		"_GLOBAL__sub_I_a.c": "_GLOBAL__sub_I_a.c",
	} {
		var d demangler
		for range 2 {
			if got := d.demangled(name); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

// A name in which every part refers twice to the part before it is not expanded.
func TestDemangledNamesAreLimited(t *testing.T) {
	name := "_Z1f1AIiiE"
	for _, part := range []string{"S_", "S0_", "S1_", "S2_", "S3_", "S4_", "S5_", "S6_", "S7_", "S8_", "S9_", "SA_", "SB_", "SC_", "SD_"} {
		name += "S_I" + part + part + "E"
	}
	if got := len(new(demangler).demangled(name)); got > 4<<10 {
		t.Errorf("%d bytes of a symbol became %d", len(name), got)
	}
}

// hostileName returns a mangled name of n bytes for which package demangle takes a time that grows
// much faster than n: 0.2 s for 4 KiB.
func hostileName(n int) string {
	return "_Z1fIJ" + strings.Repeat("i", n/4) + "EEv" + strings.Repeat("DpRK", (n-n/4-11)/4) + "T_"
}

// A name is demangled once, however many addresses have it, and only if it is short.
func TestNamesAreDemangledOnce(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var d demangler
	short, long := hostileName(maxMangled), hostileName(4<<10)
	began := threadTime()
	for range 100_000 {
		d.demangled(short)
		d.demangled(long)
	}
	if used := threadTime() - began; used > 5*time.Second {
		t.Errorf("200,000 requests for two names took %v of CPU time", used)
	}
	if len(d.known) != 2 || d.refused != 1 {
		t.Errorf("%d names are known and %d were refused, want 2 and 1", len(d.known), d.refused)
	}
}

// Demangling has a time limit for all names together. Names after it stay as they are.
func TestDemanglingHasATimeLimit(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var d demangler
	began := threadTime()
	for i := 0; d.refused == 0; i++ {
		if used := threadTime() - began; used > 2*maxDemangling {
			t.Fatalf("%d names were demangled in %v", i, used)
		}
		d.demangled(fmt.Sprintf("_Z%d%s", 900+i%100, strings.Repeat("x", 900)) + hostileName(100)[2:])
		d.demangled(strings.Replace(hostileName(maxMangled-8), "1f", fmt.Sprintf("8f%07d", i), 1))
	}
	if got := d.demangled("_Z1gv"); got != "_Z1gv" {
		t.Errorf("got %q after the limit", got)
	}
}

// The cache of names is limited, too.
func TestDemangledNamesAreCachedUpToALimit(t *testing.T) {
	var d demangler
	for i := range 2 * maxCached / 300 {
		d.demangled(fmt.Sprintf("_Z%s%d", strings.Repeat("0", 300), i))
	}
	if d.bytes > maxCached+2*maxMangled || d.refused == 0 {
		t.Errorf("%d bytes of names are cached and %d were refused", d.bytes, d.refused)
	}
}

func FuzzDemangle(f *testing.F) {
	f.Add("_ZN3foo3barEi")
	f.Add("_RNvC6_123foo3bar")
	f.Add(hostileName(200))
	f.Fuzz(func(t *testing.T, name string) {
		fuzzbudget.Enforce(t)
		if got := new(demangler).demangled(name); len(got) > 1<<maxDemangled+len(stubSuffix) && got != name {
			t.Errorf("%d bytes of a symbol became %d", len(name), len(got))
		}
	})
}
