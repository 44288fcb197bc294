package embed

import (
	"github.com/google/pprof/profile"
)

func encodeColumns(p *profile.Profile, kind KindFunc) ([]byte, error) {
	w := newWriter()
	writeProfile(w, p)
	writeMappings(w, p)
	writeFunctions(w, p)
	writeLocations(w, p, kind)
	if err := writeSamples(w, p); err != nil {
		return nil, err
	}
	return w.finish(), nil
}

func writeProfile(w *writer, p *profile.Profile) {
	w.int(p.TimeNanos)
	w.int(p.DurationNanos)
	w.int(p.Period)
	w.flag(p.PeriodType != nil)
	if p.PeriodType != nil {
		w.string(p.PeriodType.Type)
		w.string(p.PeriodType.Unit)
	}
	for _, s := range []string{p.DefaultSampleType, p.DropFrames, p.KeepFrames, p.DocURL} {
		w.string(s)
	}
	w.uint(uint64(len(p.Comments)))
	for _, c := range p.Comments {
		w.string(c)
	}
	w.uint(uint64(len(p.SampleType)))
	for _, t := range p.SampleType {
		w.string(t.Type)
		w.string(t.Unit)
	}
}

func writeMappings(w *writer, p *profile.Profile) {
	w.uint(uint64(len(p.Mapping)))
	for _, m := range p.Mapping {
		w.uint(m.ID)
		w.uint(m.Start)
		w.uint(m.Limit)
		w.uint(m.Offset)
		w.string(m.File)
		w.string(m.BuildID)
		w.string(m.KernelRelocationSymbol)
		for _, b := range []bool{m.HasFunctions, m.HasFilenames, m.HasLineNumbers, m.HasInlineFrames} {
			w.flag(b)
		}
	}
}

func writeFunctions(w *writer, p *profile.Profile) {
	w.uint(uint64(len(p.Function)))
	id, name, file, line := delta{step: 1}, delta{step: 1}, delta{}, delta{}
	for _, f := range p.Function {
		id.write(w, f.ID)
	}
	for _, f := range p.Function {
		name.write(w, w.index(f.Name))
	}
	for _, f := range p.Function {
		if f.SystemName == f.Name {
			w.uint(0)
		} else {
			w.uint(1 + w.index(f.SystemName))
		}
	}
	for _, f := range p.Function {
		file.write(w, w.index(f.Filename))
	}
	for _, f := range p.Function {
		line.write(w, uint64(f.StartLine))
	}
}

func writeLocations(w *writer, p *profile.Profile, kind KindFunc) {
	w.uint(uint64(len(p.Location)))
	mappings := make(map[*profile.Mapping]uint64, len(p.Mapping))
	for i, m := range p.Mapping {
		mappings[m] = uint64(i + 1)
	}
	functions := make(map[*profile.Function]uint64, len(p.Function))
	for i, f := range p.Function {
		functions[f] = uint64(i + 1)
	}
	id, mapping, address := delta{step: 1}, delta{}, delta{}
	for _, l := range p.Location {
		id.write(w, l.ID)
	}
	for _, l := range p.Location {
		mapping.write(w, mappings[l.Mapping])
	}
	for _, l := range p.Location {
		address.write(w, l.Address)
	}
	for _, l := range p.Location {
		w.flag(l.IsFolded)
	}
	for _, l := range p.Location {
		w.uint(uint64(len(l.Line)))
	}
	function, line := delta{step: 1}, delta{}
	eachLine(p, func(_ *profile.Location, ln profile.Line) { function.write(w, functions[ln.Function]) })
	eachLine(p, func(_ *profile.Location, ln profile.Line) { line.write(w, uint64(ln.Line)) })
	eachLine(p, func(_ *profile.Location, ln profile.Line) { w.int(ln.Column) })
	eachLine(p, func(l *profile.Location, ln profile.Line) {
		if ln.Function == nil {
			w.uint(0)
			return
		}
		w.uint(uint64(kind(ln.Function, l.Mapping)))
	})
}

func eachLine(p *profile.Profile, do func(*profile.Location, profile.Line)) {
	for _, l := range p.Location {
		for _, ln := range l.Line {
			do(l, ln)
		}
	}
}
