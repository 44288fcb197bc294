//go:build linux

package golang

import (
	"debug/elf"
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

// rules hold the rule for each variable, valid for Go 1.20 to 1.26 on amd64 and arm64.
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

// after picks the n-th reference after the first one to another variable.
func after(name string, n int) pick {
	return func(refs []reference, find func(string) (uint64, error)) (uint64, bool) {
		address, err := find(name)
		if err != nil {
			return 0, false
		}
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
	var names []string
	for _, rule := range rules {
		names = append(names, rule.function)
	}
	functions, _ := r.table.Functions(names...) // a damaged table returns the functions before the damage
	return &codeSearch{r: r, functions: functions}
}

// maxCode bounds the code of one function in bytes. Functions in the rules have some hundred.
const maxCode = 64 << 10

// find returns the address of a variable in the file.
func (s *codeSearch) find(name string) (uint64, error) {
	rule := rules[name]
	code, ok := s.functions[rule.function]
	if !ok || code.End-code.Start > maxCode {
		return 0, fmt.Errorf("%s was not found, or has too much code", rule.function)
	}
	raw := make([]byte, code.End-code.Start)
	if _, err := s.r.exe.ReadAddress(raw, code.Start); err != nil {
		return 0, err
	}
	var refs []reference
	for _, ref := range references(s.r.exe.Machine, raw, code.Start) {
		if s.r.exe.Writable(ref.address) {
			refs = append(refs, ref)
		}
	}
	address, ok := rule.pick(refs, s.find)
	if !ok || !s.r.exe.Writable(address) || address%4 != 0 {
		return 0, fmt.Errorf("the code of %s does not lead to %s", rule.function, name)
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
		if _, ok := rules[name]; ok && r.exe.Writable(s.Value) {
			found[name] = s.Value
			if len(found) == len(rules) {
				break
			}
		}
	}
	return found
}
