//go:build linux

// Package symbol gives addresses their functions, files and lines: from Go's own function table,
// ELF symbols, debugging information and the kernel's list. Its one entry point is Symbolize. It must
// not know of BPF or Kubernetes; the files that it reads are the target's and not trusted.
package symbol

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Names of the profile's mappings that are no files.
const (
	kernelFile = "[kernel.kallsyms]"
	vdsoFile   = proc.VDSOPath
)

// frame is one function at an address, as it will stand in the profile.
type frame struct {
	name, system, file string
	line, start        int
	wrapper            bool // made by Go's compiler, not to be shown
}

// maxTime bounds the reading of objects, of which a hostile target may have thousands. A container of 100
// processes and libraries takes some seconds.
const maxTime = 60 * time.Second

// Symbolizer names the code of profiles that grow: of one and the same profile, it may be asked again
// when there are more locations and other samples. Its zero value is ready.
type Symbolizer struct {
	wrappers map[*profile.Location]bool // locations that are nothing but wrappers
}

// Symbolize is that of a Symbolizer that is used once.
func Symbolize(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) error {
	return new(Symbolizer).Symbolize(p, file, perfMap)
}

// Symbolize fills in the functions of all locations that have none. file opens the object of a
// mapping, perfMap the list of code made at run time of a mapping's process; they give nil where there is
// none. Code whose function cannot be found is called [object+0xoffset], where the offset is that of the
// function's beginning if that is known. An object that cannot be read leaves its code unknown and is no error.
func (z *Symbolizer) Symbolize(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) error {
	if z.wrappers == nil {
		z.wrappers = map[*profile.Location]bool{}
	}
	s := &symbolizer{
		profile: p, functions: newFunctionTable(p), wrappers: z.wrappers, starts: map[*profile.Location]uint64{},
	}
	kernel, rest, objects := group(p, file)
	if len(kernel) > 0 {
		s.kernel(kernel)
	}
	began, late := time.Now(), 0
	for _, o := range objects { // one after the other, for each may need megabytes
		var found map[*profile.Location][]frame
		if time.Since(began) < maxTime {
			found = s.lookUp(o)
		} else if len(o.locations) > 0 {
			late++
		}
		rest = append(rest, s.locations(o.locations, found)...)
	}
	if late > 0 {
		p.Comments = append(p.Comments, fmt.Sprintf("symbols: none of %d files, for the others took longer than %v", late, maxTime))
	}
	rest = s.locations(rest, perfMaps(rest, perfMap))
	for _, l := range rest {
		s.write(l, []frame{unknown(l, s.starts)})
	}
	hideGoFrames(p, s.wrappers)
	return p.CheckValid()
}

// codeOf is an object with all its sampled places, of all processes.
type codeOf struct {
	open      func() *namer
	locations []*profile.Location
}

// group sorts the locations without functions by what knows their names, in the profile's order, so
// that the same profile gives the same result. Nothing knows those in other.
func group(p *profile.Profile, file func(*profile.Mapping) *proc.File) (kernel, other []*profile.Location, objects []*codeOf) {
	byMapping, byFile, none := map[*profile.Mapping]*codeOf{}, map[*proc.File]*codeOf{}, &codeOf{}
	add := func(m *profile.Mapping, key *proc.File, open func() *namer) {
		if byFile[key] == nil {
			byFile[key] = &codeOf{open: open}
			objects = append(objects, byFile[key])
		}
		byMapping[m] = byFile[key]
	}
	for _, m := range p.Mapping {
		if m.File == kernelFile {
			continue
		}
		byMapping[m] = none
		if m.File == vdsoFile {
			add(m, nil, vdso)
		} else if f := file(m); f != nil {
			add(m, f, func() *namer { return openObject(f) })
		}
	}
	for _, l := range p.Location {
		switch {
		case len(l.Line) > 0:
		case l.Mapping == nil:
			other = append(other, l)
		case l.Mapping.File == kernelFile:
			kernel = append(kernel, l)
		default:
			byMapping[l.Mapping].locations = append(byMapping[l.Mapping].locations, l)
		}
	}
	return kernel, append(other, none.locations...), objects
}

// lookUp finds the frames of an object's locations, and where the functions begin of which it finds none.
// The standard library's readers of ELF and DWARF are not made for hostile files: should one panic, what
// was not found by then stays unknown.
func (s *symbolizer) lookUp(code *codeOf) (found map[*profile.Location][]frame) {
	found = map[*profile.Location][]frame{}
	defer func() { _ = recover() }()
	if len(code.locations) == 0 {
		return found
	}
	o := code.open()
	if o == nil {
		return found
	}
	var addresses []uint64
	for _, l := range code.locations {
		addresses = append(addresses, o.address(l.Mapping, l.Address))
	}
	sorted := slices.Clone(addresses)
	slices.Sort(sorted)
	o.prepare(slices.Compact(sorted))
	for i, l := range code.locations {
		if found[l] = o.frames(addresses[i]); len(found[l]) > 0 {
			continue
		}
		if start, ok := o.starts[addresses[i]]; ok {
			s.starts[l] = l.Address - l.Mapping.Start + l.Mapping.Offset - (addresses[i] - start)
		}
	}
	return found
}

// symbolizer writes what was found into the profile.
type symbolizer struct {
	profile   *profile.Profile
	functions *functionTable
	wrappers  map[*profile.Location]bool   // that of the Symbolizer
	starts    map[*profile.Location]uint64 // where in its file the unknown function of a location begins
}

// locations writes the frames of locations and gives those of which none were found.
func (s *symbolizer) locations(all []*profile.Location, found map[*profile.Location][]frame) (rest []*profile.Location) {
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
		m.HasFunctions = true // where there are none, pprof will look for them itself
		m.HasInlineFrames = m.HasInlineFrames || len(frames) > 1
		if frames[0].line > 0 {
			m.HasLineNumbers, m.HasFilenames = true, true
		}
	}
	return rest
}

func (s *symbolizer) write(l *profile.Location, frames []frame) {
	for _, f := range frames {
		l.Line = append(l.Line, profile.Line{Function: s.functions.get(f), Line: int64(f.line)})
		s.wrappers[l] = f.wrapper
	}
}
