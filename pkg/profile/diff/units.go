package diff

import (
	"fmt"
	"math"
	"strings"

	"github.com/google/pprof/profile"
)

// unit is a unit of values: a multiple of the smallest unit of its kind.
type unit struct {
	kind   string // time, memory or number
	factor int64
	name   string // as package render expects it
}

// units maps the names of units in profiles, without case, to units. As in go tool pprof, kB are 1,024 bytes. The parts of one
// are the units of folded stacks with fractions.
var units = func() map[string]unit {
	all := map[string]unit{}
	for _, u := range []struct {
		unit
		aliases string
	}{
		{unit{"time", 1, "nanoseconds"}, "ns nanosecond nanoseconds"},
		{unit{"time", 1e3, "microseconds"}, "us µs μs microsecond microseconds"},
		{unit{"time", 1e6, "milliseconds"}, "ms millisecond milliseconds"},
		{unit{"time", 1e9, "seconds"}, "s sec second seconds"},
		{unit{"time", 60e9, "minutes"}, "min minute minutes"},
		{unit{"time", 3600e9, "hours"}, "h hr hour hours"},
		{unit{"memory", 1, "bytes"}, "b byte bytes"},
		{unit{"memory", 1 << 10, "kilobytes"}, "kb kib kbyte kbytes kilobyte kilobytes"},
		{unit{"memory", 1 << 20, "megabytes"}, "mb mib mbyte mbytes megabyte megabytes"},
		{unit{"memory", 1 << 30, "gigabytes"}, "gb gib gbyte gbytes gigabyte gigabytes"},
		{unit{"memory", 1 << 40, "terabytes"}, "tb tib tbyte tbytes terabyte terabytes"},
		{unit{"number", 1, "trillionths"}, "trillionths"},
		{unit{"number", 1e3, "billionths"}, "billionths"},
		{unit{"number", 1e6, "millionths"}, "millionths"},
		{unit{"number", 1e9, "thousandths"}, "thousandths"},
		{unit{"number", 1e12, "count"}, "count"},
	} {
		for alias := range strings.FieldsSeq(u.aliases) {
			all[alias] = u.unit
		}
	}
	return all
}()

// inSameUnits returns the profiles with values of the same type in the same unit, the smaller of the two. It copies a profile
// before it changes it. Units that are not known, and those of different kinds, stay as they are.
func inSameUnits(before, after *profile.Profile) (*profile.Profile, *profile.Profile, error) {
	b, a := converter{p: before}, converter{p: after}
	for i, ta := range after.SampleType {
		for k, tb := range before.SampleType {
			ua, ub := units[strings.ToLower(ta.Unit)], units[strings.ToLower(tb.Unit)]
			if ta.Type != tb.Type || ta.Unit == tb.Unit || ua.kind == "" || ua.kind != ub.kind {
				continue
			}
			smaller := ua
			if ub.factor < ua.factor {
				smaller = ub
			}
			if err := b.convert(k, ub.factor/smaller.factor, smaller.name); err != nil {
				return nil, nil, err
			}
			if err := a.convert(i, ua.factor/smaller.factor, smaller.name); err != nil {
				return nil, nil, err
			}
			break
		}
	}
	return b.p, a.p, nil
}

// converter changes units in a copy of a profile.
type converter struct {
	p      *profile.Profile
	copied bool
}

// convert multiplies the values with the given index and sets their unit.
func (c *converter) convert(index int, factor int64, name string) error {
	t := c.p.SampleType[index]
	if t.Unit == name && factor == 1 {
		return nil
	}
	room := math.MaxInt64 / factor
	for _, s := range c.p.Sample {
		v := s.Value[index]
		if room -= max(v, -v); room < 0 {
			return fmt.Errorf("the profiles cannot be compared: the values of %q in %q are too large for the other profile's %q", t.Type, t.Unit, name)
		}
	}
	if !c.copied {
		c.p, c.copied = c.p.Copy(), true
	}
	for _, s := range c.p.Sample {
		s.Value[index] *= factor
	}
	c.p.SampleType[index].Unit = name
	return nil
}
