//go:build linux

package capture

import (
	"slices"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

func TestParseCPUs(t *testing.T) {
	cases := []struct {
		list string
		want []int // nil: an error
	}{
		{"0", []int{0}},
		{"0-3", []int{0, 1, 2, 3}},
		{"0-1,4,6-7", []int{0, 1, 4, 6, 7}},
		{"", nil},
		{"0-", nil},
		{"3-1", nil},
		{"-1", nil},
		{"a", nil},
		{"0,,1", nil},
		{"0-99999999", nil},
	}
	for _, c := range cases {
		got, err := parseCPUs(c.list)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v, want %v", c.list, got, err, c.want)
		}
	}
}

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

func TestParseSample(t *testing.T) {
	kernel, user := []uint64{0xffffffff81000000}, []uint64{0x1000, 0x1020}
	s, err := parseSample(rawSample(kernel, user, bpf.CPUWalkEndEND_TRUNCATED))
	if err != nil {
		t.Fatal(err)
	}
	if s.program.tgid != 70 || s.tid != 71 || s.pid != 7 || s.comm != "web" || s.end != bpf.CPUWalkEndEND_TRUNCATED ||
		!slices.Equal(s.kernel, kernel) || !slices.Equal(s.user, user) {
		t.Errorf("got %+v", s)
	}
}

// A sample that was cut anywhere is refused, not read beyond its end.
func TestParseSampleThatIsCut(t *testing.T) {
	raw := rawSample([]uint64{1}, []uint64{2, 3}, 0)
	for n := range raw {
		if _, err := parseSample(raw[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for a sample", n, len(raw))
		}
	}
}
