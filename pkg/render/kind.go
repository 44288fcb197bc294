package render

import (
	"strings"

	"github.com/google/pprof/profile"
)

// kind says what code is; it decides a frame's colour.
type kind uint8

const (
	kindOwn kind = iota
	kindDependency
	kindStandard
	kindRuntime
	kindNative
	kindKernel
	kindProcess
	kindThread
	kinds
)

// kindLook is a kind's word in the legend and its hue. The hues are those of Okabe and Ito's palette
// (jfly.uni-koeln.de/color), which the common kinds of colour blindness can tell apart, made pale
// enough for black text; lightness differs as well, so that a grey print keeps them apart.
var kindLook = [kinds]struct {
	word                       string
	hue, saturation, lightness float64
}{
	kindOwn:        {"own code", 32, 0.95, 0.64},
	kindDependency: {"dependencies", 54, 0.85, 0.66},
	kindStandard:   {"standard library", 202, 0.70, 0.76},
	kindRuntime:    {"Go runtime, GC", 164, 0.38, 0.68},
	kindNative:     {"native", 22, 0.62, 0.76},
	kindKernel:     {"kernel", 324, 0.42, 0.78},
	kindProcess:    {"process", 0, 0, 0.85},
	kindThread:     {"thread", 0, 0, 0.91},
}

// kindOf classifies a function. Go's are known by their source files: only Go functions have
// names with a package path, and C has no .go files.
func kindOf(fn *profile.Function, m *profile.Mapping) kind {
	if m != nil && (strings.HasPrefix(m.File, "[kernel") || strings.HasPrefix(m.File, "[guest.kernel")) {
		return kindKernel
	}
	if !strings.HasSuffix(fn.Filename, ".go") && !(strings.HasSuffix(fn.Filename, ".s") && strings.Contains(fn.Name, ".")) {
		return kindNative
	}
	pkg := goPackage(fn.Name)
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case pkg == "main":
		return kindOwn
	case pkg == "runtime", strings.HasPrefix(pkg, "runtime/internal"), strings.HasPrefix(pkg, "internal/runtime/"), pkg == "internal/bytealg":
		return kindRuntime
	case strings.Contains(first, "."):
		return kindDependency
	}
	return kindStandard
}

// goPackage is the import path in a Go function's name: up to the first dot after the last slash
// that stands before any type argument or receiver.
func goPackage(name string) string {
	head := name
	if i := strings.IndexAny(head, "[("); i >= 0 {
		head = head[:i]
	}
	slash := strings.LastIndexByte(head, '/') + 1
	dot := strings.IndexByte(head[slash:], '.')
	if dot < 0 {
		return head
	}
	return head[:slash+dot]
}
