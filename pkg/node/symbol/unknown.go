//go:build linux

package symbol

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// unknown stands for code without a known function: the object and the offset in its file where the
// function begins, so that all of it is one, or that of the location itself if no start is known. Code
// made at run time, or outside of any mapping, has no file to which an offset belongs.
func unknown(l *profile.Location, starts map[*profile.Location]uint64) frame {
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
