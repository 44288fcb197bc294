package compare

import (
	"math"
	"slices"
	"testing"
)

func stack(count int64, names ...string) Stack {
	s := Stack{Count: count}
	for _, n := range names {
		s.Frames = append(s.Frames, Frame{Function: n, Line: 7})
	}
	return s
}

func TestCompare(t *testing.T) {
	reference := []Stack{stack(600, "a", "main"), stack(400, "b", "main")}
	cases := []struct {
		name     string
		ours     []Stack
		distance float64
		points   float64
		missing  []string
	}{
		{"equal", []Stack{stack(600, "a", "main"), stack(400, "b", "main")}, 0, 0, nil},
		{"twice as many", []Stack{stack(1200, "a", "main"), stack(800, "b", "main")}, 0, 0, nil},
		{"other shares", []Stack{stack(500, "a", "main"), stack(500, "b", "main")}, 0.1, 10, nil},
		{"deeper", []Stack{stack(600, "a", "main", "start"), stack(400, "b", "main", "start")}, 0, 0, nil},
		{"caller is lost", []Stack{stack(600, "a", "main"), stack(400, "b")}, 0, 40, nil},
		{"other name", []Stack{stack(600, "a", "main"), stack(400, "c", "main")}, 0.4, 40, []string{"b", "b:7", "c", "c:7"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Compare(c.ours, reference)
			if math.Abs(r.Distance-c.distance) > 1e-9 || math.Abs(r.Points-c.points) > 1e-9 || !slices.Equal(r.Missing, c.missing) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestLinesAreCompared(t *testing.T) {
	ours, reference := stack(100, "a"), stack(100, "a")
	ours.Frames[0].Line = 8
	if r := Compare([]Stack{ours}, []Stack{reference}); r.Distance != 0 || r.Points != 100 {
		t.Errorf("got %+v, want no distance of functions and lines that differ", r)
	}
}

func TestRecursionCountsOnce(t *testing.T) {
	r := Compare([]Stack{stack(10, "f", "f", "f")}, []Stack{stack(10, "f", "f", "f")})
	if r.Points != 0 || r.Distance != 0 {
		t.Errorf("got %+v", r)
	}
	if m := measure([]Stack{stack(10, "f", "f")}, 9); m.cumulative["f"] != 10 {
		t.Errorf("f has %d of 10 samples", m.cumulative["f"])
	}
}

// Two samples of 5,000 each differ by about 0.03 with 10 equal functions, by 0.08 with 100.
func TestFloor(t *testing.T) {
	for functions, want := range map[int]float64{10: 0.03, 100: 0.08} {
		a := map[string]int64{}
		for i := range functions {
			a[string(rune('a'+i))] = int64(5000 / functions)
		}
		if got := floor(a, a, 5000, 5000); math.Abs(got-want) > 0.012 {
			t.Errorf("%d functions: %.3f, want about %.2f", functions, got, want)
		}
	}
}
