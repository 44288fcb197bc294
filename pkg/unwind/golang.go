package unwind

import "github.com/kubectl-pprof/kubectl-pprof/pkg/symbol/gopclntab"

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
	switch f.Name {
	case "runtime.asmcgocall", "runtime.asmcgocall.abi0":
		// Where it notes the goroutine's stack: runtime/asm_amd64.s of Go 1.18 and, with the landing pad, of
		// Go 1.21; runtime/asm_arm64.s.
		if a == amd64 && !landingPad {
			return Rule{CFA: GoCgocall, Offset: 40, Add: delta}
		}
		return Rule{CFA: GoCgocall, Add: delta}
	case "runtime.cgocallback", "runtime.cgocallback.abi0":
		// It has gone over to the goroutine's stack; the frame pointer still leads to the C code that called it.
		return Rule{CFA: FramePointer}
	case "runtime.nanotime1", "runtime.nanotime1.abi0", "runtime.walltime", "runtime.walltime.abi0", "time.now", "time.now.abi0":
		// They call the vDSO on the thread's own stack; the frame pointer leads back.
		return Rule{CFA: FramePointer}
	case "runtime.systemstack", "runtime.systemstack.abi0":
		return Rule{CFA: GoSystemstack, Add: delta}
	case "runtime.morestack", "runtime.morestack.abi0":
		return Rule{CFA: GoMorestack}
	case "crosscall2", "runtime.sigtramp", "runtime.sigtramp.abi0":
		// They save the registers of C and leave the frame pointer alone.
		if a == amd64 {
			return a.frameless(delta)
		}
		if f.Name == "crosscall2" { // runtime/cgo/asm_arm64.s: 24 words, the 23rd and 24th the frame record
			if delta == 0 {
				return a.frameless(0)
			}
			return Rule{CFA: Register, Reg: uint8(a.sp), Offset: delta, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
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
		return Rule{CFA: Register, Reg: uint8(a.sp), Offset: delta + 8, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
	}
	// The link register is at the stack pointer and the frame pointer below it (cmd/internal/obj/arm64/obj7.go).
	return Rule{CFA: Register, Reg: uint8(a.sp), Offset: delta, RA: AtCFA, RAOffset: -delta, FP: AtCFA, FPOffset: -delta - 8}
}

// isSigreturn tells the function to which the kernel lets a signal handler return; it was renamed in Go 1.21.
func isSigreturn(name string) bool {
	switch name {
	case "runtime.sigreturn", "runtime.sigreturn.abi0", "runtime.sigreturn__sigaction", "runtime.sigreturn__sigaction.abi0":
		return true
	}
	return false
}
