//go:build linux

package capture

import (
	"testing"
)

func TestParseRelease(t *testing.T) {
	cases := []struct {
		release      string
		major, minor int
		ok           bool
	}{
		{"5.10.0-30-cloud-amd64", 5, 10, true},
		{"6.18.44", 6, 18, true},
		{"6.13.0-rc3", 6, 13, true},
		{"6.12.8+bpo-amd64", 6, 12, true},
		{"4.18.0-553.el8.x86_64", 4, 18, true},
		{"next", 0, 0, false},
		{"", 0, 0, false},
	}
	for _, c := range cases {
		major, minor, ok := parseRelease(c.release)
		if ok != c.ok || ok && (major != c.major || minor != c.minor) {
			t.Errorf("%q: got %d.%d %v, want %d.%d %v", c.release, major, minor, ok, c.major, c.minor, c.ok)
		}
	}
}
