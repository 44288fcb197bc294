// Package symbol gives addresses their functions, files and lines: from Go's own function table,
// ELF symbols, and the kernel's list. Its one entry point is Symbolize. It must not know of BPF or
// Kubernetes; the files that it reads are the target's and not trusted.
package symbol

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/proc"
)

// kernelFile is the name by which the profile's kernel mapping is known.
const kernelFile = "[kernel.kallsyms]"

// frame is one function at an address, as it will stand in the profile.
type frame struct {
	name, system, file string
	line, start        int
	wrapper            bool // made by Go's compiler, not to be shown
}

// Symbolize fills in the functions of all locations that have none. file opens the object of a
// mapping and gives nil where there is none. Code whose function cannot be found is called
// [object+0xoffset]. An object that cannot be read leaves its code unknown and is no error.
func Symbolize(p *profile.Profile, file func(*profile.Mapping) *proc.File) error {
	locations := map[*profile.Mapping][]*profile.Location{}
	for _, l := range p.Location {
		if len(l.Line) == 0 && l.Mapping != nil {
			locations[l.Mapping] = append(locations[l.Mapping], l)
		}
	}
	functions := newFunctionTable(p)
	objects := map[*proc.File]*object{}
	wrappers := map[*profile.Location]bool{}
	for _, m := range p.Mapping { // in the profile's order, so that the same profile gives the same result
		all := locations[m]
		if len(all) == 0 {
			continue
		}
		if m.File == kernelFile {
			if err := symbolizeKernel(p, all, functions); err != nil {
				return fmt.Errorf("read the kernel's symbols: %w", err)
			}
		} else {
			o := vdso()
			if m.File != "[vdso]" {
				o = nil
				if f := file(m); f != nil {
					if objects[f] == nil {
						objects[f] = openObject(f)
					}
					o = objects[f]
				}
			}
			symbolizeMapping(m, all, o, functions, wrappers)
		}
		m.HasFunctions = true
	}
	hideGoFrames(p, wrappers)
	return p.CheckValid()
}

// symbolizeMapping names the locations of one mapping, and notes which are nothing but wrappers; o is
// nil if its object cannot be read.
func symbolizeMapping(m *profile.Mapping, locations []*profile.Location, o *object, functions *functionTable, wrappers map[*profile.Location]bool) {
	if o != nil {
		var addresses []uint64
		for _, l := range locations {
			addresses = append(addresses, o.address(m, l.Address))
		}
		slices.Sort(addresses)
		o.prepare(slices.Compact(addresses))
	}
	for _, l := range locations {
		var frames []frame
		if o != nil {
			frames = o.frames(o.address(m, l.Address))
		}
		if len(frames) == 0 {
			frames = []frame{unknown(m, l.Address)}
		}
		for _, f := range frames {
			l.Line = append(l.Line, profile.Line{Function: functions.get(f), Line: int64(f.line)})
			if f.wrapper {
				wrappers[l] = true
			}
			if f.line > 0 {
				m.HasLineNumbers, m.HasFilenames = true, true
			}
		}
		if len(frames) > 1 {
			m.HasInlineFrames = true
		}
	}
}

// unknown stands for code without a known function: the object and the offset in its file.
func unknown(m *profile.Mapping, address uint64) frame {
	name := path.Base(m.File)
	if m.Limit == 0 || strings.HasPrefix(name, "[") {
		// Code made at run time, or outside of any mapping: there is no file to which an offset belongs.
		name = strings.Trim(name, "[]")
		return frame{name: "[" + name + "]", system: name}
	}
	name = fmt.Sprintf("[%s+%#x]", name, address-m.Start+m.Offset)
	return frame{name: name, system: name}
}

func symbolizeKernel(p *profile.Profile, locations []*profile.Location, functions *functionTable) error {
	var addresses []uint64
	for _, l := range locations {
		addresses = append(addresses, l.Address)
	}
	slices.Sort(addresses)
	symbols, err := kernelSymbols(slices.Compact(addresses))
	if err != nil {
		return err
	}
	if len(symbols) == 0 {
		p.Comments = append(p.Comments, "kernel symbols: hidden by the sysctl kernel.kptr_restrict")
	}
	for _, l := range locations {
		f := frame{name: "[kernel]", system: "[kernel]"}
		if s, ok := symbols[l.Address]; ok {
			f = frame{name: s.name, system: s.name, file: s.module}
		}
		l.Line = []profile.Line{{Function: functions.get(f), Line: int64(f.line)}}
	}
	return nil
}
