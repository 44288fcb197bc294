//go:build linux

package golang

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"hash/maphash"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// GoroutineReader finds the goroutines of the process. The error wraps ErrUnsupported if what it finds does not look
// like that.
func (r *Runtime) GoroutineReader() (*GoroutineReader, error) {
	gs := &GoroutineReader{
		runtime: r, layout: &r.layout.g, seed: maphash.MakeSeed(),
		unwind: unwinder{table: r.table, bias: r.bias, arm: r.exe.Machine == elf.EM_AARCH64},
	}
	var err error
	if gs.length, err = r.variable("runtime.allglen"); err != nil {
		return nil, err
	}
	if gs.place, err = r.variable("runtime.allgptr"); err != nil {
		return nil, err
	}
	if err := gs.check(); err != nil {
		return nil, err
	}
	if at, err := r.variable("runtime.waitReasonStrings"); err == nil {
		gs.reasons = r.readWaitReasons(at)
	}
	return gs, nil
}

// check looks whether the list of goroutines begins with that of runtime.main, and has goroutines only.
func (gs *GoroutineReader) check() error {
	l, err := gs.readAllgs()
	if err != nil {
		return err
	}
	addresses, err := gs.readPointers(l, 0, nil)
	if err != nil {
		return err
	}
	for i, address := range addresses[:min(len(addresses), 8)] {
		g := make(rawG, gs.layout.size())
		if !isPointer(address) || gs.runtime.read(address, g) != nil {
			return fmt.Errorf("%w: entry %d of its list of goroutines leads to no memory", ErrUnsupported, i)
		}
		if err := g.check(gs.layout, gs.runtime.minor, address); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		if first := gs.unwind.functionName(g.word(gs.layout.startpc)); i == 0 && (g.word(gs.layout.goid) != 1 || first != "runtime.main") {
			return fmt.Errorf("%w: its first goroutine has the ID %d and began with %q", ErrUnsupported, g.word(gs.layout.goid), first)
		}
	}
	return nil
}

// The first of runtime.waitReasonStrings (runtime/runtime2.go) are equal in all versions: no reason, and these.
const firstReason, secondReason = "GC assist marking", "IO wait"

// Bounds on the reasons; Go 1.26 has 47, the longest of 33 bytes.
const (
	maxReasons     = 96
	maxReasonBytes = 64
)

// reasons reads runtime.waitReasonStrings for as long as they look like it. Their numbers change with every version of
// Go. Nil if they are not there: then goroutines wait without a reason.
func (r *Runtime) readWaitReasons(at uint64) []string {
	all := []string{""}
	for len(all) < maxReasons {
		var head [16]byte
		if r.read(at+uint64(16*len(all)), head[:]) != nil {
			break
		}
		n := binary.LittleEndian.Uint64(head[8:])
		if n == 0 || n > maxReasonBytes {
			break
		}
		text := make([]byte, n)
		if r.read(binary.LittleEndian.Uint64(head[:]), text) != nil || !printable(text) {
			break
		}
		all = append(all, string(text))
	}
	if len(all) < 3 || all[1] != firstReason || all[2] != secondReason {
		return nil
	}
	return all
}

func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// scattered reads several parts, and tells which could be read.
func (r *Runtime) tryRead(parts []proc.MemoryPart) ([]bool, error) {
	if pid, ok := r.memory.(processMemory); ok {
		return proc.TryReadMemoryParts(int(pid), parts)
	}
	read := make([]bool, len(parts))
	for i, p := range parts {
		read[i] = r.memory.Read(p) == nil
	}
	return read, nil
}
