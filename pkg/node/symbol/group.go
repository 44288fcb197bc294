//go:build linux

package symbol

import (
	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Names of mappings that are not files.
const (
	kernelFile = "[kernel.kallsyms]"
	vdsoFile   = proc.VDSOPath
)

// sampledObject is an object and its sampled locations in all processes.
type sampledObject struct {
	source    any // the file, nil for the vDSO
	open      func() *namer
	locations []*profile.Location
}

// group groups the locations without functions by what can name them. Nothing can name the other
// ones. The order is the profile's, so that the same profile has the same result.
func group(mappings []*profile.Mapping, locations []*profile.Location, file func(*profile.Mapping) *proc.File, d *deadline) (kernel, other []*profile.Location, objects []*sampledObject) {
	byMapping, byFile, none := map[*profile.Mapping]*sampledObject{}, map[*proc.File]*sampledObject{}, &sampledObject{}
	add := func(m *profile.Mapping, key *proc.File, open func() *namer) {
		if byFile[key] == nil {
			byFile[key] = &sampledObject{source: key, open: open}
			objects = append(objects, byFile[key])
		}
		byMapping[m] = byFile[key]
	}
	for _, m := range mappings {
		if m.File == kernelFile {
			continue
		}
		byMapping[m] = none
		if m.File == vdsoFile && m.Start < 1<<32 {
			continue // that of a 32-bit program, which is not ours
		} else if m.File == vdsoFile {
			add(m, nil, func() *namer { return openVDSO(d) })
		} else if f := file(m); f != nil {
			add(m, f, func() *namer { return openFile(f, d) })
		}
	}
	for _, l := range locations {
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
