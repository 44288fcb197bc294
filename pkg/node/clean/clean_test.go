package clean

import "testing"

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"/srv/größe":          "/srv/größe",
		"a\x1b]0;title\x07\n": "a\uFFFD]0;title\uFFFD\uFFFD",
		"a\u009bb":            "a\uFFFDb", // C1, which begins an escape sequence as ESC [ does
		"a\xff\xfeb\xc3":      "a\uFFFDb\uFFFD",
		"":                    "",
	} {
		if got := Text(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
