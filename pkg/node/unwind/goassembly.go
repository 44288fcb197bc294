package unwind

import (
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// goAssembly describes the functions of a Go program that are written in assembly. Those that Go
// compiles keep frame pointers and need no rows; assembly may use that register for something else,
// or have no frame at all.
func goAssembly(f *object.File, a *arch) (all []described, _ error) {
	t, err := gopclntab.Open(f)
	if err != nil {
		return nil, nil
	}
	var assembly []gopclntab.Assembly
	landingPad := false
	err = t.EachAssembly(func(f gopclntab.Assembly) {
		assembly = append(assembly, f)
		landingPad = landingPad || f.Name == "runtime.asmcgocall_landingpad"
	})
	if err != nil {
		return nil, err
	}
	for i, f := range assembly {
		rule := func(delta int32) Rule { return goRule(a, f, delta, landingPad) }
		if rule(0).CFA == FramePointer {
			continue
		}
		if i+1 < len(assembly) && isSigreturn(assembly[i+1].Name) {
			f.End = min(f.End, assembly[i+1].Start-1) // see signalFunction
		}
		if isSigreturn(f.Name) {
			all = append(all, signalFunction(f.Start, f.End))
			continue
		}
		all = append(all, described{f.Start, f.End, func(emit func(uint64, Rule)) {
			emit(f.Start, rule(0))
			for _, d := range f.Deltas {
				emit(d.Address, rule(d.Bytes))
			}
		}})
	}
	return all, nil
}

// goRule returns the rule of an assembly function where it has moved the stack pointer down by
// delta bytes. landingPad is set if the program has runtime.asmcgocall_landingpad.
func goRule(a *arch, f gopclntab.Assembly, delta int32, landingPad bool) Rule {
	if isSigreturn(f.Name) {
		return Rule{CFA: Signal}
	}
	switch strings.TrimSuffix(f.Name, ".abi0") {
	case "runtime.asmcgocall":
		// Where it saves the goroutine's stack pointer: runtime/asm_amd64.s of Go 1.18 and, with
		// the landing pad, of Go 1.21; runtime/asm_arm64.s.
		if a == amd64 && !landingPad {
			return Rule{CFA: GoCgocall, Offset: 40, Add: delta}
		}
		return Rule{CFA: GoCgocall, Add: delta}
	case "runtime.systemstack":
		return Rule{CFA: GoSystemstack, Add: delta}
	case "runtime.morestack":
		return Rule{CFA: GoMorestack}
	case "runtime.cgocallback", "runtime.nanotime1", "runtime.walltime", "time.now":
		// They switch to another stack. The frame pointer still leads to their caller.
		if a == amd64 {
			return Rule{CFA: FramePointer}
		}
	case "crosscall2", "runtime.sigtramp":
		// They save C's registers and do not change the frame pointer.
		if a == amd64 {
			return a.frameless(delta)
		}
		if f.Name == "crosscall2" && delta > 0 { // runtime/cgo/asm_arm64.s: 24 words, the last two the frame record
			return Rule{CFA: Register, Reg: uint8(a.SP), Offset: delta, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
		}
	default:
		if f.Root {
			return Rule{CFA: Root}
		}
	}
	if delta == 0 {
		return a.frameless(0)
	}
	if a == amd64 { // return address, frame pointer, locals (cmd/internal/obj/x86/obj6.go)
		return Rule{CFA: Register, Reg: uint8(a.SP), Offset: delta + 8, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
	}
	// The link register is saved at the stack pointer, and the caller's frame pointer below it,
	// where the frame pointer points to (cmd/internal/obj/arm64/obj7.go). The stack pointer is not
	// known there after a step by frame pointers.
	return Rule{CFA: Register, Reg: uint8(a.FP), Offset: delta + 8, RA: AtCFA, RAOffset: -delta, FP: AtCFA, FPOffset: -delta - 8}
}

// isSigreturn reports whether a function is what signal handlers return to. It was renamed in Go 1.21.
func isSigreturn(name string) bool {
	name = strings.TrimSuffix(name, ".abi0")
	return name == "runtime.sigreturn" || name == "runtime.sigreturn__sigaction"
}
