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
		return frame{name: "[unknown]", system: "[unknown]"}
	}
	name := strings.TrimSuffix(m.File, " (deleted)")
	anonymous := proc.Mapping{Path: m.File, Inode: 1}.Anonymous() || strings.HasPrefix(name, "[") || strings.HasPrefix(name, "//")
	if m.Limit == 0 || anonymous {
		name = "[" + strings.Trim(name, "/[]") + "]"
	} else {
		start, ok := starts[l]
		if !ok {
			start = l.Address - m.Start + m.Offset
		}
		name = fmt.Sprintf("[%s+%#x]", path.Base(name), start)
	}
	return frame{name: name, system: name}
}
