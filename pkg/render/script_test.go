package render

import (
	"os/exec"
	"strings"
	"testing"
)

// strip works by lines: the sources must have no string and no comment of several, and no end of a script in them.
func TestScriptsCanBeStripped(t *testing.T) {
	for form, files := range scripts {
		for _, f := range files {
			source, err := web.ReadFile("web/" + f)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{"`", "/*", "]]>", "</script"} {
				if strings.Contains(string(source), bad) {
					t.Errorf("%s has %s", f, bad)
				}
			}
		}
		if s := configured(form); len(s) > 48_000 {
			t.Errorf("the script for %s has grown to %d bytes", form, len(s))
		}
	}
}

// The script writes names as Go does: both are asked about the same ones.
func TestScriptsNamesAreOurs(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("node is missing (test/deps installs it): %v", err)
	}
	names, err := web.ReadFile("web/names.js")
	if err != nil {
		t.Fatal(err)
	}
	config, _, _ := strings.Cut(strings.TrimPrefix(configured("svg"), "(function () {\n"), "\n")
	for _, name := range []string{"main.main", "net/http.(*conn).serve", "std::vector<int, std::allocator<int>>::push_back(int const&)", "operator<<(a)", "日本語.é", "<T as U>::f", strings.Repeat("x", 300) + "<y>"} {
		const program = "for (const w of [10, 40, 90, 300]) console.log(fit(process.argv[1], w)); console.log(colorOf({name: process.argv[1], kind: 2}));"
		out, err := exec.Command("node", "-e", config+"\n"+string(names)+program, name).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var want []string
		for _, w := range []float64{10, 40, 90, 300} {
			want = append(want, fit(name, w))
		}
		want = append(want, color(frame{name, 2}))
		if got := strings.TrimSuffix(string(out), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: the script says\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
		}
	}
}
