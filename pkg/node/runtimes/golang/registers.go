//go:build linux

package golang

import (
	"encoding/binary"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Registers are the registers with which unwinding of a stack begins.
type Registers struct {
	PC, SP uint64
	LR     uint64 // arm64 only; 0 if unknown
	// Exact is set if PC is the next instruction to execute. Otherwise PC is the return address of a
	// call that the function has made.
	Exact bool
	// Syscall is set if a function saved the registers before it made a system call.
	Syscall bool
}

// reading is a goroutine that is being read.
type reading struct {
	address    uint64
	g          rawG // nil if it could not be read
	registers  Registers
	stack      uint64 // address of the part of the stack to read
	stackBytes int    // its length; 0 if there is no stack to read
	thread     int    // that runs it; 0 if there is none
}

// locateStack sets the registers of a goroutine and the part of its stack to read.
func (gs *GoroutineReader) locateStack(r *reading) (err error) {
	l := gs.layout
	switch {
	case r.g.runsOnCPU(l):
		if r.thread, err = gs.findThread(r); err != nil || gs.Stopped == nil {
			return err
		}
	case r.g.word(l.syscallsp) != 0:
		r.registers = Registers{PC: r.g.word(l.syscallpc), SP: r.g.word(l.syscallsp), Syscall: true}
	default:
		r.registers = gs.savedRegisters(r)
	}
	low, end := r.g.word(gStackLow), r.g.word(gStackEnd)
	if sp := r.registers.SP; sp >= low && sp < end && sp%8 == 0 {
		r.stack, r.stackBytes = sp, int(min(end-sp, maxStackBytes))
	}
	return nil
}

// savedRegisters returns the registers in g.sched, saved when the goroutine was last switched out.
func (gs *GoroutineReader) savedRegisters(r *reading) Registers {
	sched := gs.layout.sched
	return Registers{PC: r.g.word(sched + gobufPC), SP: r.g.word(sched), LR: r.g.word(sched + gs.runtime.layout.gobuf.lr)}
}

// findThread returns the ID of the thread that runs a goroutine, or 0 if it is unknown. If the
// thread is stopped it also sets the registers.
func (gs *GoroutineReader) findThread(r *reading) (int, error) {
	mp := r.g.word(gs.layout.m)
	if !isPointer(mp) {
		return 0, nil
	}
	m := &gs.runtime.layout.m
	var g0, procid, curg [8]byte
	var vdso [16]byte // m.vdsoSP and m.vdsoPC
	read, err := gs.runtime.tryRead([]proc.MemoryPart{
		{Address: mp, Bytes: g0[:]}, {Address: mp + m.procid, Bytes: procid[:]}, {Address: mp + m.curg, Bytes: curg[:]},
		{Address: mp + m.vdsoSP, Bytes: vdso[:]},
	})
	if err != nil {
		return 0, err
	}
	for _, ok := range read {
		if !ok {
			return 0, nil
		}
	}
	thread := int(int32(binary.LittleEndian.Uint64(procid[:])))
	if binary.LittleEndian.Uint64(curg[:]) != r.address || thread <= 0 {
		return 0, nil
	}
	if now, ok := gs.Stopped[thread]; ok {
		r.registers = gs.stoppedRegisters(r, now, binary.LittleEndian.Uint64(g0[:]), vdso[:])
	}
	return thread, nil
}

// stoppedRegisters returns the registers with which to unwind the goroutine of a stopped thread.
// While the thread is on its system stack (g0) it runs the runtime's code, or C, on behalf of the
// goroutine, and the goroutine's registers are in g.sched. A call of the vDSO is the exception: it
// saves them in m.vdsoSP and m.vdsoPC (sigprof, runtime/proc.go).
func (gs *GoroutineReader) stoppedRegisters(r *reading, now Registers, g0 uint64, vdso []byte) Registers {
	onStackOf := func(g rawG) bool { return g.word(gStackLow) <= now.SP && now.SP < g.word(gStackEnd) }
	system := make(rawG, 16)
	switch err := gs.runtime.read(g0, system); {
	case onStackOf(r.g):
		return now
	case err != nil || !onStackOf(system):
		return Registers{} // on the stack of a signal handler
	case binary.LittleEndian.Uint64(vdso) != 0:
		return Registers{PC: binary.LittleEndian.Uint64(vdso[8:]), SP: binary.LittleEndian.Uint64(vdso)}
	}
	return gs.savedRegisters(r)
}
