//go:build linux

package kernel

import (
	"slices"
	"testing"
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
