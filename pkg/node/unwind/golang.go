package unwind

import (
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// goFunctions describes Go's assembly. What Go's compiler makes keeps frame pointers and needs no rows;
// assembly may use that register for something else, or have no frame at all.
func goFunctions(t *gopclntab.Table, a *arch) []function {
	var assembly []gopclntab.Assembly
	landingPad := false
	// An error ends the list early; what came before it is right.
	_ = t.EachAssembly(func(f gopclntab.Assembly) {
		assembly = append(assembly, f)
		landingPad = landingPad || f.Name == "runtime.asmcgocall_landingpad"
	})
	var all []function
	for i, f := range assembly {
		rule := func(delta int32) Rule { return goFrame(a, f, delta, landingPad) }
		if rule(0).CFA == FramePointer {
			continue
		}
		if i+1 < len(assembly) && isSigreturn(assembly[i+1].Name) {
			f.End = min(f.End, assembly[i+1].Start-1)
		}
		if isSigreturn(f.Name) {
			// A signal handler returns to its first instruction, and a return address is looked up as the
			// end of the call before it.
			f.Start--
		}
		all = append(all, function{f.Start, f.End, func(emit func(uint64, Rule)) error {
			emit(f.Start, rule(0))
			for _, d := range f.Deltas {
				emit(d.Address, rule(d.Bytes))
			}
			return nil
		}})
	}
	return all
}

// goFrame is the rule of an assembly function at a place where it has moved the stack pointer by delta bytes.
func goFrame(a *arch, f gopclntab.Assembly, delta int32, landingPad bool) Rule {
	if isSigreturn(f.Name) {
		return Rule{CFA: Signal}
	}
	switch strings.TrimSuffix(f.Name, ".abi0") {
	case "runtime.asmcgocall":
		// Where it notes the goroutine's stack: runtime/asm_amd64.s of Go 1.18 and, with the landing pad, of
		// Go 1.21; runtime/asm_arm64.s.
		if a == amd64 && !landingPad {
			return Rule{CFA: GoCgocall, Offset: 40, Add: delta}
		}
		return Rule{CFA: GoCgocall, Add: delta}
	case "runtime.systemstack":
		return Rule{CFA: GoSystemstack, Add: delta}
	case "runtime.morestack":
		return Rule{CFA: GoMorestack}
	case "runtime.cgocallback", "runtime.nanotime1", "runtime.walltime", "time.now":
		// They change the stack pointer to another stack's; the frame pointer still leads to their caller.
		if a == amd64 {
			return Rule{CFA: FramePointer}
		}
	case "crosscall2", "runtime.sigtramp":
		// They save the registers of C and leave the frame pointer alone.
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
	// The link register is at the stack pointer and the caller's frame pointer below, where the frame pointer
	// leads (cmd/internal/obj/arm64/obj7.go). A step by frame pointers does not tell the stack pointer there.
	return Rule{CFA: Register, Reg: uint8(a.FP), Offset: delta + 8, RA: AtCFA, RAOffset: -delta, FP: AtCFA, FPOffset: -delta - 8}
}

// isSigreturn tells the function to which the kernel lets a signal handler return; it was renamed in Go 1.21.
func isSigreturn(name string) bool {
	name = strings.TrimSuffix(name, ".abi0")
	return name == "runtime.sigreturn" || name == "runtime.sigreturn__sigaction"
}
