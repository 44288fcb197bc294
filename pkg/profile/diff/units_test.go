package diff

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// oneFunction returns a profile of main.work with values of the given types, each written as "type/unit".
func oneFunction(types string, values ...int64) *profile.Profile {
	f := &profile.Function{ID: 1, Name: "main.work"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
	p := &profile.Profile{
		Function: []*profile.Function{f}, Location: []*profile.Location{l},
		Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: values}},
	}
	for t := range strings.FieldsSeq(types) {
		typ, unit, _ := strings.Cut(t, "/")
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: typ, Unit: unit})
	}
	return p
}

func TestUnitsAreConverted(t *testing.T) {
	for _, c := range []struct {
		before, after *profile.Profile
		want          string // in the table
		pprof         int64  // of the last type in the profile of the difference
	}{
		{oneFunction("wall/microseconds", 5000), oneFunction("wall/nanoseconds", 9_000_000), "5.00ms     9.00ms    +4.00ms", 4_000_000},
		{oneFunction("wall/nanoseconds", 9_000_000), oneFunction("wall/microseconds", 5000), "9.00ms     5.00ms    -4.00ms", -4_000_000},
		{oneFunction("wall/seconds", 2), oneFunction("wall/milliseconds", 500), "2.00s   500.00ms     -1.50s", -1500},
		{oneFunction("wall/ms", 2), oneFunction("wall/us", 5000), "2.00ms     5.00ms    +3.00ms", 3000},
		{oneFunction("wall/ns", 2_000_000), oneFunction("wall/nanoseconds", 5_000_000), "2.00ms     5.00ms    +3.00ms", 3_000_000},
		{oneFunction("space/kilobytes", 3), oneFunction("space/bytes", 1024), "3.00KiB    1.00KiB   -2.00KiB", -2048},
		{oneFunction("space/MB", 1), oneFunction("space/bytes", 0), "1.00MiB          0", -1 << 20},
		{oneFunction("samples/count", 2), oneFunction("samples/thousandths", 2500), "2000 thousandths 2500 thousandths +500 thousandths", 500},
		{oneFunction("events/count wall/microseconds", 10, 1000), oneFunction("events/count wall/nanoseconds", 10, 3_000_000), "1.00ms     3.00ms    +2.00ms", 2_000_000},
	} {
		before, after := c.before.String(), c.after.String()
		d, err := Compare(c.before, c.after, false)
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		var table, pprof bytes.Buffer
		if err := d.WriteTable(&table); err != nil || !strings.Contains(table.String(), c.want) {
			t.Errorf("want %s, got\n%s%v", c.want, table.String(), err)
		}
		if err := d.WritePprof(&pprof); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		p, err := profile.Parse(&pprof)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[len(s.Value)-1]
		}
		if sum != c.pprof {
			t.Errorf("%s: the profile has %d, want %d", c.want, sum, c.pprof)
		}
		if c.before.String() != before || c.after.String() != after {
			t.Errorf("%s: the profiles were changed", c.want)
		}
	}
}

func TestUnitsThatCannotBeConverted(t *testing.T) {
	for _, c := range []struct {
		before, after *profile.Profile
		want          string
	}{
		{oneFunction("wall/nanoseconds", 1), oneFunction("wall/bytes", 1), `one has values of "wall" in "nanoseconds", the other of "wall" in "bytes"`},
		{oneFunction("wall/ticks", 1), oneFunction("wall/cycles", 1), `"wall" in "ticks"`},
		{oneFunction("cpu/nanoseconds", 1), oneFunction("wall/microseconds", 1), `"cpu" in "nanoseconds"`},
		{oneFunction("wall/hours", math.MaxInt64/1000), oneFunction("wall/nanoseconds", 1), `the values of "wall" in "hours" are too large`},
	} {
		if _, err := Compare(c.before, c.after, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
