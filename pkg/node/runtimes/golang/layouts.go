//go:build linux

package golang

import (
	"fmt"
	"slices"
	"strings"
)

// layout has the offsets in structures of Go's runtime that differ between versions, in bytes.
type layout struct {
	g     gLayout
	gobuf gobufLayout
	m     mLayout
}

// gLayout is that of runtime.g. Its stack is at 0: the lowest address and the one behind the highest.
type gLayout struct {
	m, sched, syscallsp, syscallpc, atomicstatus, goid, waitsince, waitreason, lockedm uint64

	parentGoid                     uint64 // 0 if there is none, in Go 1.20
	gopc, startpc, waiting, labels uint64
}

// gobufLayout is that of runtime.gobuf. The stack pointer is at 0, the program counter at 8.
type gobufLayout struct{ lr, bp uint64 }

// mLayout is that of runtime.m. Its g0 is at 0, its vdsoPC behind vdsoSP.
type mLayout struct{ procid, gsignal, curg, alllink, vdsoSP uint64 }

// layouts has a row for each minor number of Go 1.x; they are equal on amd64 and arm64. Source: the DWARF of
// programs built with 1.20.14, 1.21.13, 1.22.12, 1.23.12, 1.24.13, 1.25.7 and 1.26.8 (runtime/runtime2.go).
var layouts = map[int]layout{
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
}

const oldestMinor, newestMinor = 20, 26

// layoutExperiments are the experiments (internal/goexperiment/flags.go, as in GOEXPERIMENT) that give structures of the
// runtime other sizes: lockrank_on.go, trace2runtime.go, pagetrace_on.go and lock_spinbit.go of the runtime. Others do not.
var layoutExperiments = []string{"staticlockranking", "exectracer2", "pagetrace", "spinbitmutex"}

// HasKnownLayout tells whether structures of the runtime are as they are in other programs of a version of Go, which is as the
// toolchain calls itself.
func HasKnownLayout(version string) bool {
	_, _, err := checkVersion(version)
	return err == nil
}

// checkVersion finds the layout of a program built by a toolchain that calls itself so, as in
// "go1.24.3 X:nospinbitmutex".
func checkVersion(version string) (minor int, l layout, err error) {
	release, rest, _ := strings.Cut(version, " ")
	minor = MinorVersion(release)
	l, ok := layouts[minor]
	if !ok {
		return 0, l, fmt.Errorf("%w: it was built by %q; known are go1.%d to go1.%d", ErrUnsupported, version, oldestMinor, newestMinor)
	}
	for _, word := range strings.Fields(rest) {
		list, ok := strings.CutPrefix(word, "X:")
		if !ok {
			continue
		}
		for _, experiment := range strings.Split(list, ",") {
			if slices.Contains(layoutExperiments, strings.TrimPrefix(experiment, "no")) {
				return 0, l, fmt.Errorf("%w: it was built with GOEXPERIMENT=%s, which changes the runtime's structures", ErrUnsupported, experiment)
			}
		}
	}
	return minor, l, nil
}
