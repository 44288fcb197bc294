//go:build linux

// Package symbol finds the functions, files and lines of the addresses in a profile: in the
// function table of Go programs, symbol tables, debugging information, perf maps and the kernel's
// list of symbols. Its entry point is Symbolize. It must not depend on BPF or Kubernetes; the files
// that it reads belong to the target and are not trusted.
package symbol

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// maxTime limits the time for reading objects, of which a hostile target may have thousands. A
// container with 100 processes and libraries takes a few seconds.
const maxTime = 60 * time.Second

// Symbolizer symbolizes profiles that grow: Symbolize may be called again for the same profile when
// it has more locations and other samples. The zero value is ready to use.
type Symbolizer struct {
	wrappers map[*profile.Location]bool // locations that consist of wrappers only
}

// Symbolize symbolizes a profile once. See Symbolizer.Symbolize.
func Symbolize(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) error {
	return new(Symbolizer).Symbolize(p, file, perfMap)
}

// Symbolize adds functions to all locations that have none. file returns the object of a mapping,
// and perfMap the list of generated code of the mapping's process; they return nil where there is
// none. Code whose function is not found is named [object+0xoffset], with the offset of the
// function's start in the file, or of the location itself if the start is not known. An object that
// cannot be read is not an error; its code remains unknown.
func (z *Symbolizer) Symbolize(p *profile.Profile, file, perfMap func(*profile.Mapping) *proc.File) error {
	if z.wrappers == nil {
		z.wrappers = map[*profile.Location]bool{}
	}
	s := &symbolizer{
		profile: p, functions: newFunctionTable(p), wrappers: z.wrappers, starts: map[*profile.Location]uint64{},
	}
	kernel, rest, objects := group(p, file)
	if len(kernel) > 0 {
		s.nameKernel(kernel)
	}
	began, late := time.Now(), 0
	for _, o := range objects { // one at a time, because each may need megabytes
		var found map[*profile.Location][]frame
		if time.Since(began) < maxTime {
			found = s.findFrames(o)
		} else if len(o.locations) > 0 {
			late++
		}
		rest = append(rest, s.writeFrames(o.locations, found)...)
	}
	if late > 0 {
		meta.Symbols.Add(p, fmt.Sprintf("none of %d files, because the others took longer than %v", late, maxTime))
	}
	rest = s.writeFrames(rest, perfMapFrames(rest, perfMap))
	for _, l := range rest {
		s.write(l, []frame{unknownFrame(l, s.starts)})
	}
	hideGoFrames(p, s.wrappers)
	return p.CheckValid()
}

// symbolizer writes frames into one profile.
type symbolizer struct {
	profile   *profile.Profile
	functions *functionTable
	wrappers  map[*profile.Location]bool   // see Symbolizer
	starts    map[*profile.Location]uint64 // offsets in the file at which functions without a name begin
}

// findFrames finds the frames of an object's locations, and the starts of functions without a name.
// The standard library's readers of ELF and DWARF are not made for hostile files: if one panics,
// locations not found so far remain unknown.
func (s *symbolizer) findFrames(o *sampledObject) (found map[*profile.Location][]frame) {
	found = map[*profile.Location][]frame{}
	defer func() { _ = recover() }()
	if len(o.locations) == 0 {
		return found
	}
	n := o.open()
	if n == nil {
		return found
	}
	var addresses []uint64
	for _, l := range o.locations {
		addresses = append(addresses, n.address(l.Mapping, l.Address))
	}
	n.find(addresses)
	for i, l := range o.locations {
		if found[l] = n.frames(addresses[i]); len(found[l]) > 0 {
			continue
		}
		if start, ok := n.starts[addresses[i]]; ok {
			s.starts[l] = l.Address - l.Mapping.Start + l.Mapping.Offset - (addresses[i] - start)
		}
	}
	return found
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
	for _, f := range frames {
		l.Line = append(l.Line, profile.Line{Function: s.functions.get(f), Line: int64(f.line)})
		s.wrappers[l] = f.wrapper
	}
}
