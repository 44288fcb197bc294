package unwind

import "github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"

// ruleOf returns the rule for a row.
func ruleOf(r ehframe.Row) Rule {
	if r.RA.Kind == ehframe.Undefined {
		return Rule{CFA: Root}
	}
	if r.CFA.Kind == ehframe.CFAUnknown || r.RA.Kind == ehframe.Unknown || r.FP.Kind == ehframe.Unknown {
		return Rule{CFA: Unknown}
	}
	if r.FP.Kind == ehframe.Undefined { // the caller does not need its frame pointer
		r.FP = ehframe.Location{}
	}
	return Rule{
		CFA: cfaKind(r.CFA.Kind), Reg: r.CFA.Register, Offset: r.CFA.Offset, Add: r.CFA.Add,
		RA: saved(r.RA.Kind), RAOffset: r.RA.Offset, FP: saved(r.FP.Kind), FPOffset: r.FP.Offset,
	}
}

func cfaKind(k ehframe.CFAKind) Kind {
	switch k {
	case ehframe.CFARegister:
		return Register
	case ehframe.CFADereference:
		return Dereference
	case ehframe.CFAPLT:
		return PLT
	}
	return Unknown
}

func saved(k ehframe.LocationKind) Saved {
	switch k {
	case ehframe.AtCFA:
		return AtCFA
	case ehframe.AtFP:
		return AtFP
	case ehframe.InRegister:
		return InRegister
	}
	return Same
}
