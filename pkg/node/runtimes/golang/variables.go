//go:build linux

package golang

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
)

// rule describes how to find a variable of the runtime in the machine code of a function that uses
// it.
type rule struct {
	function string
	pick     pick
}

// rules hold the rule for each variable, valid for Go 1.19 to 1.27 on amd64 and arm64.
// TestVariablesByCode compares the results with the symbols of programs built by each version. The
// functions are in runtime/mprof.go, malloc.go, proc.go, sema.go and runtime2.go.
var rules = map[string]rule{
	"runtime.mbuckets":          {"runtime.mProf_FlushLocked", nth(0)},
	"runtime.xbuckets":          {"runtime.stkbucket", after("runtime.mbuckets", 1)},
	"runtime.bbuckets":          {"runtime.stkbucket", after("runtime.mbuckets", 2)},
	"runtime.mProfCycle":        {"runtime.mProf_Free", nth(0)},
	"runtime.MemProfileRate":    {"runtime.profilealloc", nth(1)}, // after mcache0
	"runtime.blockprofilerate":  {"runtime.blockevent", nth(0)},
	"runtime.mutexprofilerate":  {"runtime.semacquire1", accessed(after("runtime.blockprofilerate", 1))},
	"runtime.allglen":           {"runtime.forEachGRace", nth(0)},
	"runtime.allgptr":           {"runtime.forEachGRace", nth(1)},
	"runtime.waitReasonStrings": {"runtime.waitReason.String", nth(0)},
}

// notInlined is a function that exists only in programs whose runtime was compiled without inlining, as by
// -gcflags="all=-N -l".
const notInlined = "runtime.atomicAllG"

// rulesNotInlined replace those of rules in programs without inlining.
var rulesNotInlined = map[string]rule{
	"runtime.mbuckets":       {"runtime.mProf_FlushLocked", nth(2)}, // after two locks
	"runtime.bbuckets":       {"runtime.stkbucket", after("runtime.mbuckets", 1)},
	"runtime.xbuckets":       {"runtime.stkbucket", after("runtime.mbuckets", 2)},
	"runtime.MemProfileRate": {"runtime.nextSample", nth(0)},
	"runtime.allglen":        {notInlined, nth(0)},
	"runtime.allgptr":        {notInlined, nth(1)},
}

// rulesNotInlinedARM64 replace those of rulesNotInlined on arm64.
var rulesNotInlinedARM64 = map[string]rule{
	"runtime.xbuckets": {"runtime.stkbucket", after("runtime.mbuckets", 1)},
	"runtime.bbuckets": {"runtime.stkbucket", after("runtime.mbuckets", 2)},
}

// confirmations names, for some variables, a second function that must refer to the variable. Otherwise the
// program was compiled in a way that the rules do not cover.
var confirmations = map[string]string{
	"runtime.mbuckets":         "runtime.stkbucket",
	"runtime.blockprofilerate": "runtime.semacquire1",
}

// rules118 hold the rules that differ in Go 1.18, whose counter of GC cycles is the first field of
// a structure.
var rules118 = map[string]rule{
	"runtime.mProfCycle": {"runtime.mProf_FlushLocked", nth(0)},
	"runtime.mbuckets":   {"runtime.mProf_FlushLocked", nth(1)},
}

// symbols118 holds the symbols of Go 1.18 that are not named like the variable.
var symbols118 = map[string]string{"runtime.mProf": "runtime.mProfCycle"}

// pick chooses one of a function's references to writable data. find returns the address of a
// variable that another rule finds.
type pick = func(refs []reference, find func(string) (uint64, error)) (uint64, bool)

// nth picks reference number n, counted from 0.
func nth(n int) pick {
	return func(refs []reference, _ func(string) (uint64, error)) (uint64, bool) {
		if n >= len(refs) {
			return 0, false
		}
		return refs[n].address, true
	}
}

// after picks the n-th variable after the first reference to another one. Adjacent references to one
// variable count once.
func after(name string, n int) pick {
	return func(refs []reference, find func(string) (uint64, error)) (uint64, bool) {
		address, err := find(name)
		if err != nil {
			return 0, false
		}
		refs = slices.CompactFunc(slices.Clone(refs), func(a, b reference) bool { return a.address == b.address })
		at := slices.IndexFunc(refs, func(r reference) bool { return r.address == address })
		if at < 0 || at+n >= len(refs) {
			return 0, false
		}
		return refs[at+n].address, true
	}
}

// accessed ignores references that only take an address.
func accessed(p pick) pick {
	return func(refs []reference, find func(string) (uint64, error)) (uint64, bool) {
		return p(slices.DeleteFunc(slices.Clone(refs), func(r reference) bool { return r.addressTaken }), find)
	}
}

// variable returns the address, in the process, of a variable of the runtime. It finds the variable
// by its symbol or, in a stripped program, by the machine code of a function that uses it. The
// error wraps ErrUnsupported.
func (r *Runtime) variable(name string) (uint64, error) {
	if r.variables == nil {
		r.variables = r.symbols()
		byCode := newCodeSearch(r)
		for name := range rules {
			if _, ok := r.variables[name]; ok {
				continue
			}
			if address, err := byCode.find(name); err == nil {
				r.variables[name] = address
			}
		}
	}
	address, ok := r.variables[name]
	if !ok {
		return 0, fmt.Errorf("%w: %s was not found, neither by a symbol nor in the code of %s", ErrUnsupported, name, rules[name].function)
	}
	return address + r.bias, nil
}

// codeSearch finds variables in machine code.
type codeSearch struct {
	r         *Runtime
	functions map[string]gopclntab.Range
}

func newCodeSearch(r *Runtime) *codeSearch {
	names := []string{notInlined, parseDebugVars}
	for _, all := range []map[string]rule{rules, rulesNotInlined, rules118} {
		for _, rule := range all {
			names = append(names, rule.function)
		}
	}
	functions, _ := r.table.Functions(names...) // a damaged table returns the functions before the damage
	return &codeSearch{r: r, functions: functions}
}

// rule returns the rule for a variable in this program.
func (s *codeSearch) rule(name string) rule {
	if rule, ok := rules118[name]; ok && s.r.minor == 18 {
		return rule
	}
	if _, ok := s.functions[notInlined]; ok {
		if rule, ok := rulesNotInlinedARM64[name]; ok && s.r.exe.Machine == elf.EM_AARCH64 {
			return rule
		}
		if rule, ok := rulesNotInlined[name]; ok {
			return rule
		}
	}
	return rules[name]
}

// newestSetByCode is the newest Go 1.x in which code sets runtime.MemProfileRate at the program's start.
// Since then the executable has its initial value.
const newestSetByCode = 19

// parseDebugVars is the function that sets runtime.MemProfileRate as GODEBUG says (runtime/runtime1.go).
const parseDebugVars = "runtime.parsedebugvars"

// maxCode bounds the code of one function in bytes. Functions in the rules have some hundred.
const maxCode = 64 << 10

// references returns the references of a function to writable data.
func (s *codeSearch) references(function string) ([]reference, error) {
	code, ok := s.functions[function]
	if !ok || code.End-code.Start > maxCode {
		return nil, fmt.Errorf("%s was not found, or has too much code", function)
	}
	raw := make([]byte, code.End-code.Start)
	if _, err := s.r.exe.ReadAddress(raw, code.Start); err != nil {
		return nil, err
	}
	refs := references(s.r.exe.Machine, raw, code.Start)
	return slices.DeleteFunc(refs, func(r reference) bool { return !s.r.exe.Writable(r.address) }), nil
}

// find returns the address of a variable in the file.
func (s *codeSearch) find(name string) (uint64, error) {
	if _, ok := s.functions[notInlined]; ok && s.r.minor == 18 {
		return 0, errors.New("no rule is known for Go 1.18 without inlining")
	}
	rule := s.rule(name)
	refs, err := s.references(rule.function)
	if err != nil {
		return 0, err
	}
	address, ok := rule.pick(refs, s.find)
	if !ok || !s.r.exe.Writable(address) || address%4 != 0 {
		return 0, fmt.Errorf("the code of %s does not lead to %s", rule.function, name)
	}
	if second := confirmations[name]; second != "" {
		refs, err := s.references(second)
		if err != nil {
			return 0, err
		}
		if !slices.ContainsFunc(refs, func(r reference) bool { return r.address == address }) {
			return 0, fmt.Errorf("the code of %s and %s do not agree on %s", rule.function, second, name)
		}
	}
	return address, nil
}

// symbols returns the addresses in the file of the rules' variables that are in the executable's
// symbol table.
func (r *Runtime) symbols() map[string]uint64 {
	found := map[string]uint64{}
	for s := range r.exe.Symbols(elf.SHT_SYMTAB) {
		if s.Type != elf.STT_OBJECT {
			continue
		}
		name := s.Name()
		if variable, ok := symbols118[name]; ok && r.minor == 18 {
			name = variable
		}
		if _, ok := rules[name]; ok && r.exe.Writable(s.Value) {
			found[name] = s.Value
			if len(found) == len(rules) {
				break
			}
		}
	}
	return found
}
