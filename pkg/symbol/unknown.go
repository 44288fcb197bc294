package symbol

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/pprof/profile"
)

// unknown stands for code without a known function: the object and the offset in its file. Code made at
// run time, or outside of any mapping, has no file to which an offset belongs.
func unknown(l *profile.Location) frame {
	m := l.Mapping
	if m == nil || m.File == "" {
		return frame{name: "[unknown]", system: "[unknown]"}
	}
	name := path.Base(m.File)
	if m.Limit == 0 || strings.HasPrefix(name, "[") {
		name = "[" + strings.Trim(name, "[]") + "]"
	} else {
		name = fmt.Sprintf("[%s+%#x]", name, l.Address-m.Start+m.Offset)
	}
	return frame{name: name, system: name}
}
