//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two versions run side by side. One command profiles both at the same time and compares them.
// Later the new version is compared with a file of the old one.
func TestDifferenceOfTwoPods(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web-v1", shop()))
	start(t, podOf(ns, "web-v2", container("spin", "/spin")))
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	r := succeed(t, "diff", "web-v1", "pod/web-v2", "-n", ns, "-d", "15s", "--normalize", "-o", "-", "-o", file("change.svg"), "-o", file("change.pb.gz"))
	// Both profiles begin before either has ended.
	if begun, ended := strings.LastIndex(r.stderr, ": sampling for"), strings.Index(r.stderr, " samples of "); strings.Count(r.stderr, ": sampling for") != 2 || ended < begun {
		t.Errorf("the pods were profiled one after the other: %v", r)
	}
	for _, text := range []string{"compared as shares", "main.turnWheel (new)", "main.priceCart (removed)"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("the table lacks %q: %v", text, r)
		}
	}
	expectTexts(t, r, "web-v1: ", "pod/web-v2: ", "samples of 1 process", "wrote "+file("change.svg"))
	svg, err := os.ReadFile(file("change.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Removed: only before", ns + "/web-v1", ns + "/web-v2"} {
		if !strings.Contains(string(svg), text) {
			t.Errorf("the picture lacks %q", text)
		}
	}
	if p := readProfile(t, file("change.pb.gz")); len(p.Sample) == 0 {
		t.Error("the profile of differences has no samples")
	}

	succeed(t, "web-v1", "-n", ns, "-d", "5s", "--job", "-o", file("before.svg"))
	r = succeed(t, "diff", file("before.svg"), "web-v1", "-n", ns, "-d", "5s", "--job", "--normalize", "--focus", `main\.`)
	if strings.Contains(r.stdout, "main.priceCart (new)") || strings.Contains(r.stdout, "main.priceCart (removed)") {
		t.Errorf("what runs on is new or gone: %v", r)
	}

	refuse(t, []string{"diff", file("before.svg"), "web-v3", "-n", ns}, `"web-v3"`, "there is no file of this name either")
	refuse(t, []string{"diff", "web-v1", "web-v3", "-n", ns, "-d", "30s"}, `"web-v3"`)
}
