package read

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// maxEvents is the largest number of kinds of events that get values of their own. A group of counters has up to 20; all
// tracepoints of system calls are some 700, whose values would fill the memory.
const maxEvents = 32

// perfEvents holds the events of a file's samples.
type perfEvents struct {
	kinds   []perfKind       // in the order of the file
	index   map[string]int32 // of each kind, by name
	samples []perfValue      // of each sample
}

type perfValue struct {
	kind   int32
	period int64
}

// add adds the event of the next sample.
func (e *perfEvents) add(h perfHeader) {
	name := kindName(h.event)
	i, known := e.index[name]
	if !known && len(e.kinds) > maxEvents {
		i, known = maxEvents, true // not told apart
	}
	if !known {
		i = int32(len(e.kinds))
		if e.index == nil {
			e.index = map[string]int32{}
		}
		e.index[name] = i
		e.kinds = append(e.kinds, perfKind{h.event, true, h.period})
	}
	k := &e.kinds[i]
	if k.name != h.event {
		k.name = name
	}
	k.periods = k.periods && h.period >= 0
	e.samples = append(e.samples, perfValue{i, h.period})
}

// types returns the largest number of values that setValues sets in a sample.
func (e *perfEvents) types() int {
	if n := len(e.kinds); n <= maxEvents {
		return n + 1
	}
	return 1
}

// setValues sets the types and the values of the profile, which begins with the number of samples. Samples are weighted by
// period where all events of their kind have one. If there are several kinds, each has values of its own, which cannot be added.
func (e *perfEvents) setValues(p *profile.Profile) {
	samples := p.SampleType[0]
	switch kinds := len(e.kinds); {
	case kinds == 0: // no samples
	case kinds == 1:
		e.setOne(p)
	case kinds > maxEvents:
		e.setCounts(p)
		meta.FileNote.Add(p, fmt.Sprintf("more than %d different events: the values are the numbers of all events together", maxEvents))
	case e.tracepoints():
		e.setSeveral(p)
		p.SampleType = slices.Insert(p.SampleType, 0, samples)
		p.DefaultSampleType = samples.Type
		for _, s := range p.Sample {
			s.Value = slices.Insert(s.Value, 0, 1)
		}
		meta.FileNote.Add(p, "several events, counted together (--sample chooses one): "+strings.Join(e.names(), ", "))
	default:
		e.setSeveral(p)
		meta.FileNote.Add(p, "several events, of which one is shown (--sample chooses): "+strings.Join(e.names(), ", "))
	}
}

func (e *perfEvents) setCounts(p *profile.Profile) {
	for _, s := range p.Sample {
		s.Value = []int64{1}
	}
}

func (e *perfEvents) setOne(p *profile.Profile) {
	k := e.kinds[0]
	if !k.periods || k.name == "" {
		e.setCounts(p)
		return
	}
	meta.Event.Add(p, k.name)
	typ := k.valueType()
	if typ.Unit == "nanoseconds" {
		typ.Type = "cpu"
	}
	p.SampleType, p.DefaultSampleType = append(p.SampleType, typ), typ.Type
	p.PeriodType, p.Period = typ, k.first
	for i, s := range p.Sample {
		s.Value = []int64{1, e.samples[i].period}
		meta.EventLabel.Remove(s)
	}
}

func (e *perfEvents) setSeveral(p *profile.Profile) {
	p.SampleType = nil
	for _, k := range e.kinds {
		if k.name != "" {
			meta.Event.Add(p, k.name)
		}
		p.SampleType = append(p.SampleType, k.valueType())
	}
	p.DefaultSampleType = p.SampleType[0].Type
	for i, s := range p.Sample {
		v := e.samples[i]
		s.Value = make([]int64, len(e.kinds))
		s.Value[v.kind] = 1
		if e.kinds[v.kind].periods {
			s.Value[v.kind] = v.period
		}
	}
}

// tracepoints reports whether all kinds are tracepoints, of which each sample is one passage. Their numbers can be added.
func (e *perfEvents) tracepoints() bool {
	return !slices.ContainsFunc(e.kinds, func(k perfKind) bool { return !isTracepoint(k.name) })
}

func (e *perfEvents) names() (names []string) {
	for _, k := range e.kinds {
		names = append(names, k.valueType().Type)
	}
	return names
}
