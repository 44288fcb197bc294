//go:build linux

// Package symbol finds the functions, files and lines of the addresses in a profile: in the
// function table of Go programs, symbol tables, debugging information, perf maps and the kernel's
// list of symbols. Its entry point is Symbolize. The files that it reads belong to the target and
// are not trusted.
package symbol

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/bounded"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/goframes"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// Symbolizer symbolizes a profile that grows while it is sampled. The zero value is ready to use.
type Symbolizer struct {
	out      *bounded.Profile
	names    demangler
	wrappers map[*profile.Location]bool // locations that consist of wrappers only
	seen     int                        // number of the profile's locations that Update has seen
	unnamed  []*profile.Location        // those that still have no functions
	sources  schedule

	// Sources that were not read to the end: object files by their source, perf maps by a mapping of
	// their process. Update may try to read one many times.
	lateObjects  map[any]bool
	overwritten  map[any]string // paths of the object files that were written to after they were opened
	latePerfMaps map[*profile.Mapping]bool
	limitErrors  []limitError // each once
}

// limitError is why an object file was not read to the end.
type limitError struct {
	source any
	text   string
}

// Symbolize adds functions to all locations that have none. file returns the object of a mapping,
// and perfMap the list of generated code of the mapping's process; they return nil where there is
// none. Code whose function is not found is named [object+0xoffset], with the offset of the
// function's start in the file, or of the location itself if the start is not known. An object that
// cannot be read is not an error; its code remains unknown. So does code for which no time is left;
// a comment says how many files were not read to the end.
func Symbolize(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) error {
	z := new(Symbolizer)
	z.symbolize(p, p.Location, file, perfMap, func() *deadline { return newDeadline(maxCPUTime, maxTime) })
	goframes.Hide(p, z.wrappers)
	return p.CheckValid()
}

// Update adds functions, as Symbolize does, to those locations of the profile that have none and
// whose source of names may be read again. A source that takes long is read rarely, so that naming
// the locations of a profile that grows takes little CPU time from the target. Update must be called
// with the same profile each time.
func (z *Symbolizer) Update(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) {
	locations := z.unnamed
	for _, l := range p.Location[z.seen:] {
		if len(l.Line) == 0 {
			locations = append(locations, l)
		}
	}
	z.seen = len(p.Location)
	if z.sources == nil {
		z.sources = schedule{}
	}
	z.symbolize(p, locations, file, perfMap, func() *deadline { return newDeadline(maxSliceCPUTime, maxSliceTime) })
	z.unnamed = slices.DeleteFunc(locations, func(l *profile.Location) bool { return len(l.Line) > 0 })
}

// IsWrapper reports whether a location has only functions that Go's compiler generated, see package
// goframes.
func (z *Symbolizer) IsWrapper(l *profile.Location) bool { return z.wrappers[l] }

func (z *Symbolizer) symbolize(p *profile.Profile, locations []*profile.Location, file, perfMap func(*profile.Mapping) *proc.File, start func() *deadline) {
	if z.out == nil {
		z.out, z.wrappers = bounded.New(p), map[*profile.Location]bool{}
		z.lateObjects, z.latePerfMaps = map[any]bool{}, map[*profile.Mapping]bool{}
		z.overwritten = map[any]string{}
	}
	if len(locations) > 0 {
		runtime.LockOSThread() // the deadline counts the thread's CPU time
		defer runtime.UnlockOSThread()
		s := &symbolizer{Symbolizer: z, deadline: start(), starts: map[*profile.Location]uint64{}}
		s.name(p, locations, file, perfMap)
	}
	z.describe()
}

// symbolizer writes frames into one profile until a deadline.
type symbolizer struct {
	*Symbolizer
	deadline *deadline
	starts   map[*profile.Location]uint64 // offsets in the file at which functions without a name begin
}

// name names the locations whose sources are due.
func (s *symbolizer) name(p *profile.Profile, locations []*profile.Location, file, perfMap func(*profile.Mapping) *proc.File) {
	kernel, rest, objects := group(p.Mapping, locations, file, s.deadline)
	if len(kernel) > 0 {
		s.sources.read(kernelSource, func() { s.nameKernel(kernel) })
	}
	for _, o := range objects { // one at a time, because each may need megabytes
		if len(o.locations) > 0 {
			s.sources.read(o.source, func() { rest = append(rest, s.writeFrames(o.locations, s.findFrames(o))...) })
		}
	}
	if len(rest) > 0 {
		s.sources.read(perfMapSource, func() {
			for _, l := range s.namePerfMaps(rest, perfMap) {
				s.write(l, []frame{unknownFrame(l, s.starts)})
			}
		})
	}
}

// describe adds comments about what is missing.
func (s *Symbolizer) describe() {
	s.out.Describe()
	if len(s.lateObjects)+len(s.latePerfMaps) > 0 {
		meta.Symbols.Add(s.out.Profile, fmt.Sprintf("not read to the end, because they take too long: "+
			"object files %d, perf maps %d", len(s.lateObjects), len(s.latePerfMaps)))
	}
	for i, e := range s.limitErrors {
		if i == maxLimitErrors {
			meta.Symbols.Add(s.out.Profile, fmt.Sprintf("not read to the end either: object files %d", len(s.limitErrors)-i))
			break
		}
		meta.Symbols.Add(s.out.Profile, "not read to the end: "+e.text)
	}
	if n := len(s.overwritten); n > 0 {
		paths := slices.Sorted(maps.Values(s.overwritten))
		meta.Symbols.Add(s.out.Profile, fmt.Sprintf("overwritten with another program while they were profiled, so that functions have no names: "+
			"object files %d, such as %s; profile again", n, bounded.Clean(paths[0])))
	}
	if n := s.names.refused; n > 0 {
		meta.Symbols.Add(s.out.Profile, fmt.Sprintf("names longer than %d bytes, or too slow to demangle, are shown as the linker has them: %d", maxMangled, n))
	}
}

// maxLimitErrors limits the comments about objects that were not read to the end.
const maxLimitErrors = 10

// addLimitErrors adds the errors of an object file that were not added before.
func (s *Symbolizer) addLimitErrors(source any, errs ...error) {
	for _, err := range errs {
		if e := (limitError{source, bounded.Clean(err.Error())}); !slices.Contains(s.limitErrors, e) {
			s.limitErrors = append(s.limitErrors, e)
		}
	}
}

// maxKeptFrames limits the frames of one object that are kept before they are written. With more,
// inlined calls are left out. The sampled code of a large C++ program has some 100,000.
const maxKeptFrames = 1 << 18

// findFrames finds the frames of an object's locations, and the starts of functions without a name.
// The standard library's readers of ELF and DWARF are not made for hostile files: if one panics,
// locations not found so far remain unknown, and a comment says so.
func (s *symbolizer) findFrames(o *sampledObject) (found map[*profile.Location][]frame) {
	found = map[*profile.Location][]frame{}
	defer func() {
		if reason := recover(); reason != nil {
			s.addLimitErrors(o.source, fmt.Errorf("%s: it is malformed: %v", o.locations[0].Mapping.File, reason))
		}
	}()
	defer func() {
		if s.deadline.exceeded() && len(found) < len(o.locations) {
			s.lateObjects[o.source] = true
		}
	}()
	if s.deadline.exceeded() {
		return found
	}
	defer func() { s.dropOverwritten(o, found) }() // last, because the file may change while it is read
	n := o.open()
	if n == nil {
		return found
	}
	var addresses []uint64
	for _, l := range o.locations {
		addresses = append(addresses, n.address(l.Mapping, l.Address))
	}
	n.find(addresses)
	s.addLimitErrors(o.source, n.errs...)
	kept := 0
	for i, l := range o.locations {
		if s.deadline.exceeded() {
			break
		}
		frames := n.frames(addresses[i])
		if kept += len(frames); kept > maxKeptFrames && len(frames) > 0 {
			frames = frames[len(frames)-1:]
		}
		if found[l] = frames; len(frames) > 0 {
			continue
		}
		if start, ok := n.starts[addresses[i]]; ok {
			s.starts[l] = l.Address - l.Mapping.Start + l.Mapping.Offset - (addresses[i] - start)
		}
	}
	return found
}

// dropOverwritten removes what was found in a file that holds another program by now.
func (s *symbolizer) dropOverwritten(o *sampledObject, found map[*profile.Location][]frame) {
	f, _ := o.source.(*proc.File)
	if f == nil || len(found) == 0 && isGenerated(o.locations[0].Mapping) || !f.HasChanged() {
		return
	}
	s.overwritten[f] = f.Path()
	clear(found)
	for _, l := range o.locations {
		delete(s.starts, l)
	}
}

// writeFrames writes the frames that were found and returns the locations that have none.
func (s *symbolizer) writeFrames(all []*profile.Location, found map[*profile.Location][]frame) (rest []*profile.Location) {
	for _, l := range all {
		frames := found[l]
		if len(frames) == 0 {
			rest = append(rest, l)
			continue
		}
		s.write(l, frames)
		m := l.Mapping
		if m == nil {
			continue
		}
		m.HasFunctions = true // pprof tries to symbolize mappings without functions itself
		m.HasInlineFrames = m.HasInlineFrames || len(frames) > 1
		if frames[0].line > 0 {
			m.HasLineNumbers, m.HasFilenames = true, true
		}
	}
	return rest
}

func (s *symbolizer) write(l *profile.Location, frames []frame) {
	lines := make([]profile.Line, 0, len(frames))
	for _, f := range frames {
		fn := s.out.FindOrAddFunction(bounded.Function{
			Name: s.names.demangled(f.name), System: f.name, File: f.file, Start: int64(f.start),
		})
		lines = append(lines, profile.Line{Function: fn, Line: int64(f.line)})
		s.wrappers[l] = f.wrapper
	}
	s.out.AddLines(l, lines)
}
