//go:build linux

package symbol

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// unknownFrame returns a frame for code whose function is not known. It is named after the object
// and the offset in its file at which the function begins, so that all places of the function have
// one frame; without a known start, the offset is that of the location. Generated code, and code
// outside of any mapping, has no file and no offset.
func unknownFrame(l *profile.Location, starts map[*profile.Location]uint64) frame {
	m := l.Mapping
	if m == nil || m.File == "" {
		return frame{name: "[unknown]"}
	}
	name := strings.TrimSuffix(m.File, " (deleted)")
	start, ok := starts[l] // then the code is in a file, perhaps one in memory
	if m.Limit == 0 || isGenerated(m) && !ok {
		name = "[" + strings.Trim(name, "/[]") + "]"
	} else {
		if !ok {
			start = l.Address - m.Start + m.Offset
		}
		name = fmt.Sprintf("[%s+%#x]", path.Base(name), start)
	}
	return frame{name: name}
}

// UnknownName returns the name that a location has until its functions are known.
func UnknownName(l *profile.Location) string {
	if l.Mapping != nil && l.Mapping.File == kernelFile {
		return unknownKernel
	}
	return unknownFrame(l, nil).name
}

// isGenerated reports whether the code of a mapping is not in a file.
func isGenerated(m *profile.Mapping) bool {
	return proc.Mapping{Path: m.File, Inode: 1}.Anonymous() || strings.HasPrefix(m.File, "[") || strings.HasPrefix(m.File, "//")
}
