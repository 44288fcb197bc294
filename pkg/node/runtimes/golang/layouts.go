//go:build linux

package golang

import (
	"fmt"
	"slices"
	"strings"
)

// layout holds byte offsets of fields in structures of Go's runtime that differ between versions.
type layout struct {
	g     gLayout
	gobuf gobufLayout
	m     mLayout
}

// gLayout holds offsets in runtime.g. Its first field, at 0, is stack: the lowest address and the
// end.
type gLayout struct {
	m, sched, syscallsp, syscallpc, atomicstatus, goid, waitsince, waitreason, lockedm uint64

	parentGoid                     uint64 // 0 up to Go 1.20, which has no such field
	gopc, startpc, waiting, labels uint64
}

// gobufLayout holds offsets in runtime.gobuf. sp is at 0, pc at 8 and g at 16 in all versions.
type gobufLayout struct{ lr, bp uint64 }

// mLayout holds offsets in runtime.m. g0 is at 0, and vdsoPC follows vdsoSP in all versions.
type mLayout struct{ procid, gsignal, curg, alllink, vdsoSP uint64 }

// layouts holds the layout of each Go 1.x by its minor number. The offsets are the same on amd64
// and arm64. They come from the DWARF of programs built with Go 1.18.10, 1.19.13, 1.20.14, 1.21.13,
// 1.22.12, 1.23.12, 1.24.13, 1.25.7, 1.26.8 and 1.27.3; the structures are declared in runtime/runtime2.go.
var layouts = map[int]layout{
	18: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 232, parentGoid: 0, gopc: 296, startpc: 312, waiting: 328, labels: 360},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 336, vdsoSP: 800},
	},
	19: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 232, parentGoid: 0, gopc: 296, startpc: 312, waiting: 328, labels: 360},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 336, vdsoSP: 800},
	},
	20: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 232, parentGoid: 0, gopc: 296, startpc: 312, waiting: 328, labels: 360},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 336, vdsoSP: 800},
	},
	21: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 208, parentGoid: 272, gopc: 280, startpc: 296, waiting: 312, labels: 344},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 336, vdsoSP: 808},
	},
	22: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 208, parentGoid: 272, gopc: 280, startpc: 296, waiting: 312, labels: 344},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 328, vdsoSP: 1120},
	},
	23: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 152, goid: 160, waitsince: 176, waitreason: 184, lockedm: 216, parentGoid: 280, gopc: 288, startpc: 304, waiting: 320, labels: 352},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 352, vdsoSP: 880},
	},
	24: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 112, syscallpc: 120, atomicstatus: 152, goid: 160, waitsince: 176, waitreason: 184, lockedm: 216, parentGoid: 280, gopc: 288, startpc: 304, waiting: 320, labels: 352},
		gobuf: gobufLayout{lr: 40, bp: 48},
		m:     mLayout{procid: 72, gsignal: 80, curg: 192, alllink: 352, vdsoSP: 904},
	},
	25: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 104, syscallpc: 112, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 208, parentGoid: 272, gopc: 280, startpc: 296, waiting: 312, labels: 344},
		gobuf: gobufLayout{lr: 32, bp: 40},
		m:     mLayout{procid: 64, gsignal: 72, curg: 184, alllink: 344, vdsoSP: 896},
	},
	26: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 104, syscallpc: 112, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 208, parentGoid: 280, gopc: 288, startpc: 304, waiting: 320, labels: 352},
		gobuf: gobufLayout{lr: 32, bp: 40},
		m:     mLayout{procid: 64, gsignal: 72, curg: 184, alllink: 352, vdsoSP: 896},
	},
	27: {
		g:     gLayout{m: 48, sched: 56, syscallsp: 104, syscallpc: 112, atomicstatus: 144, goid: 152, waitsince: 168, waitreason: 176, lockedm: 208, parentGoid: 280, gopc: 288, startpc: 304, waiting: 320, labels: 352},
		gobuf: gobufLayout{lr: 32, bp: 40},
		m:     mLayout{procid: 64, gsignal: 72, curg: 184, alllink: 352, vdsoSP: 896},
	},
}

const oldestMinor = 18

// layoutExperiments are the settings of GOEXPERIMENT (internal/goexperiment/flags.go) that change
// the layout of the runtime's structures: see lockrank_on.go, trace2runtime.go, pagetrace_on.go and
// lock_spinbit.go in package runtime. Other experiments do not change it.
var layoutExperiments = []string{"staticlockranking", "exectracer2", "pagetrace", "spinbitmutex"}

// checkVersion returns the minor version and the layout of the runtime in a program built by this version
// of Go, the string in its build information, such as "go1.24.3 X:nospinbitmutex", or from Go 1.26 on
// "go1.26.8-X:nospinbitmutex". A version that is newer than the newest known one gets the newest
// layout; see newer.go. The error wraps ErrUnsupported.
func checkVersion(version string) (minor int, l layout, err error) {
	minor = minorVersion(version)
	l, ok := layouts[min(minor, newestMinor())]
	if !ok {
		return 0, l, fmt.Errorf("%w: it was built with %q; supported are go1.%d to go1.%d", ErrUnsupported, version, oldestMinor, newestMinor())
	}
	_, rest, _ := strings.Cut(strings.ReplaceAll(version, "-X:", " X:"), " X:")
	experiments, _, _ := strings.Cut(rest, " ")
	for _, experiment := range strings.Split(experiments, ",") {
		if slices.Contains(layoutExperiments, strings.TrimPrefix(experiment, "no")) {
			return 0, l, fmt.Errorf("%w: it was built with GOEXPERIMENT=%s, which changes the runtime's structures", ErrUnsupported, experiment)
		}
	}
	return minor, l, nil
}
