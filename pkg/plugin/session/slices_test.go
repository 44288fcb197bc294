package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/slice"
)

// sliced returns a result for which n slices of a second have arrived, with 2 samples each.
func sliced(t *testing.T, n int) *Result {
	t.Helper()
	r := &Result{Request: api.Request{Duration: 2 * time.Minute}, Err: errors.New("the connection broke")}
	for i := range n {
		x := &slice.Slice{
			Number: i + 1, DurationNanos: int64(i+1) * int64(time.Second),
			Comments: []string{fmt.Sprintf("samples: %d", 2*(i+1))},
			Values:   []int64{int64(i % 2), 2},
		}
		if i == 0 {
			x.Start = &slice.Start{TimeNanos: 1000, SampleType: []slice.ValueType{{Type: "samples", Unit: "count"}}}
			x.Functions = []slice.Function{{Name: "main.even"}, {Name: "main.odd"}}
			x.Locations = []slice.Location{{}, {}}
			x.Names = []slice.Name{
				{Location: 1, Lines: []slice.Line{{Function: 1}}}, {Location: 2, Lines: []slice.Line{{Function: 2}}},
			}
			x.Labels = []slice.Labels{{}}
			x.Stacks = []slice.Stack{{Locations: []uint64{1}}, {Locations: []uint64{2}}}
		}
		data, err := slice.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.addSlice(data); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func deleted() string { return "the pod was deleted" }

func TestSlicesMakeAPartialProfile(t *testing.T) {
	r := sliced(t, 91)
	r.salvage(deleted)
	p, want := r.Profile, []string{"samples: 182", "partial: the pod was deleted, after 1m31s of 2m0s"}
	if len(p.Sample) != 2 || p.Sample[0].Value[0]+p.Sample[1].Value[0] != 182 || p.TimeNanos != 1000 ||
		!slices.Equal(p.Comments, want) {
		t.Errorf("got %v", p)
	}
	none := sliced(t, 0)
	none.salvage(deleted)
	if none.Profile != nil || none.Err.Error() != "the pod was deleted: the connection broke" {
		t.Errorf("got %v, %v", none.Profile, none.Err)
	}
}

// If a slice cannot be read, the reason is part of the result, and the slices before it are kept.
func TestSlicesThatEndEarly(t *testing.T) {
	tooMany := []byte(`{"number":1,"mappings":[{}` + strings.Repeat(",{}", 4<<20) + `]}`)
	const why = "a slice of the profile has more than 4194304 elements: too large for a profile"
	r, none := sliced(t, 12), sliced(t, 0)
	for _, r := range []*Result{r, none} {
		if r.addSlice(tooMany) == nil {
			t.Fatal("a slice that is too large was added")
		}
		r.salvage(deleted)
	}
	want := "partial: the pod was deleted, after 12s of 2m0s; later samples are missing: " + why
	if !slices.Contains(r.Profile.Comments, want) {
		t.Errorf("got %q, want %q", r.Profile.Comments, want)
	}
	want = "the pod was deleted: the connection broke; no partial profile remains: " + why
	if none.Profile != nil || none.Err.Error() != want {
		t.Errorf("got %v, %v, want %s", none.Profile, none.Err, want)
	}
}
