package render

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// Lines are in the order of their bytes, and equal stacks are one line, though the lines are not
// made to compare them. Names may begin with one another.
func TestFoldedOrder(t *testing.T) {
	b := newBuilder()
	want := map[string]int{}
	for _, names := range [][]string{{"b"}, {"a", "b"}, {"a.x"}, {"a"}, {"a", "b", "c"}, {"a b", "c"}, {"a", "b"}, {"ab"}, {"a", "b.c"}, {"a", "é"},
		{"a;x", "b"}, {"a:x"}, {"a!", "c"}, {"a!"}, {"a~", "c"}, {"a~"}, {"ab", "c"}, {"a", "c", "d"}, {"a", "bb"}} {
		s := &profile.Sample{Value: []int64{1, 1}}
		for _, n := range slices.Backward(names) {
			s.Location = append(s.Location, b.location(n))
		}
		b.Sample = append(b.Sample, s)
		line := strings.ReplaceAll(strings.Join(names, "\n"), ";", ":")
		want[strings.ReplaceAll(line, "\n", ";")]++
	}
	var got, lines bytes.Buffer
	if err := Write(&got, b.Profile, Folded); err != nil {
		t.Fatal(err)
	}
	for _, line := range slices.Sorted(maps.Keys(want)) {
		fmt.Fprintln(&lines, line, want[line])
	}
	if got.String() != lines.String() {
		t.Errorf("got\n%s\nwant\n%s", &got, &lines)
	}
}
