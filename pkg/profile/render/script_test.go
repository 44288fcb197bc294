package render

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// strip works by lines, so the sources must not have strings or comments of several lines, or the end of a script.
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
		if s := configured(form); len(s) > 56_000 {
			t.Errorf("the script for %s has grown to %d bytes", form, len(s))
		}
	}
}

// The script shortens and colours names like Go.
func TestScriptNamesEqualGo(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("node is missing (test/deps installs it): %v", err)
	}
	names, err := web.ReadFile("web/names.js")
	if err != nil {
		t.Fatal(err)
	}
	config, _, _ := strings.Cut(strings.TrimPrefix(configured("svg"), "(function () {\n"), "\n")
	for _, name := range []string{"main.main", "net/http.(*conn).serve", "std::vector<int, std::allocator<int>>::push_back(int const&)", "operator<<(a)", "github.com/acme/tax/table.(*T).Row", "k8s.io/client-go/rest.New[...]", "golang.org/x/net/http2.f", "x/y/z.f", "日本語.é", "<T as U>::f", strings.Repeat("x", 300) + "<y>"} {
		const program = "for (const w of [10, 40, 90, 300]) console.log(fit(process.argv[1], w)); console.log(colorOf({name: process.argv[1], kind: 2})); console.log(colorOf({name: process.argv[1], kind: 1}));"
		out, err := exec.Command("node", "-e", config+"\n"+string(names)+program, name).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var want []string
		for _, w := range []float64{10, 40, 90, 300} {
			want = append(want, fit(name, w))
		}
		want = append(want, color(frame{name, 2}), color(frame{name, kindDependency}))
		if got := strings.TrimSuffix(string(out), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: the script says\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
		}
	}
}

// Expressions in an address are applied without a click, so they must not hang the page.
func TestExpressionsThatMayHang(t *testing.T) {
	state, err := web.ReadFile("web/state.js")
	if err != nil {
		t.Fatal(err)
	}
	hangs := []string{
		"(a+)+", "(a|a)*", "(a){2,}", `(a+)\1`, ".*.*.*.*x",
		strings.Repeat("a?", 30), strings.Repeat("(a|a)", 30), strings.Repeat("(?:a|a)", 30),
	}
	harmless := []string{
		"", "main", `^main\.a$`, "a|b|c|d|e|f|g|h|i|j|k|l|m", "(?:foo|bar)::f", "a.*?b.*?c",
		`\(\*T\)\.\w+`, "[*+?]{2}", "^(a|b)?c",
	}
	for want, expressions := range map[string][]string{"true": hangs, "false": harmless} {
		for _, e := range expressions {
			script := string(state) + "console.log(Boolean(mayHang(process.argv[1])));"
			out, err := exec.Command("node", "-e", script, "--", e).CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != want {
				t.Errorf("%s: got %s, want %s; %v", e, got, want, err)
			}
		}
	}
}

// The script formats quantities like Go, for all units that our profiles have.
func TestScriptQuantitiesEqualGo(t *testing.T) {
	names, err := web.ReadFile("web/names.js")
	if err != nil {
		t.Fatal(err)
	}
	units := []string{"nanoseconds", "microseconds", "milliseconds", "seconds", "bytes", "count", "cycles"}
	values := []int64{0, 1, -1, 7, 999, 1000, 1023, 1024, 1025, 99_999, 999_999, 1_000_000, 1_048_575, 1_048_576, 1_234_567_890, -1_234_567_890, 999_999_999, 5 << 40, 90_000_000_000_000}
	var list, want []string
	for _, v := range values {
		list = append(list, fmt.Sprint(v))
		for _, u := range units {
			want = append(want, Quantity(v, u))
		}
	}
	program := fmt.Sprintf("for (const v of [%s]) for (const u of %q.split(' ')) console.log(quantity(v, u));", strings.Join(list, ", "), strings.Join(units, " "))
	out, err := exec.Command("node", "-e", "const CONFIG = {};\n"+string(names)+program).CombinedOutput()
	if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != strings.Join(want, "\n") {
		t.Errorf("%v; the script says\n%s\nwant\n%s", err, got, strings.Join(want, "\n"))
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		value int64
		unit  string
		want  string
	}{
		{1_500_000_000, "nanoseconds", "1.50s"}, {12_340_000, "nanoseconds", "12.34ms"}, {999_999_999, "nanoseconds", "1.00s"}, {812, "nanoseconds", "812ns"},
		{90, "seconds", "90.00s"}, {7, "microseconds", "7.00µs"}, {-2_000_000, "nanoseconds", "-2.00ms"}, {0, "nanoseconds", "0"},
		{512, "bytes", "512B"}, {512 << 10, "bytes", "512.00KiB"}, {1<<20 - 1, "bytes", "1.00MiB"}, {3 << 30, "bytes", "3.00GiB"}, {-1536, "bytes", "-1.50KiB"},
		{1234567, "count", "1234567"}, {3, "cycles", "3 cycles"},
	} {
		if got := Quantity(c.value, c.unit); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}
