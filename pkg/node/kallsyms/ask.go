//go:build linux

package kallsyms

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/cilium/ebpf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/bpf"
)

// program names a batch of addresses. It stays loaded while this process runs.
var program struct {
	sync.Mutex // of the batch
	load       sync.Once
	err        error
	bpf.SymbolsObjects
}

// ask finds the functions of the addresses with the BPF program.
func ask(addresses []uint64) (map[uint64]Symbol, error) {
	program.Lock()
	defer program.Unlock()
	program.load.Do(func() { program.err = bpf.LoadSymbolsObjects(&program.SymbolsObjects, nil) })
	if program.err != nil {
		return nil, program.err
	}
	found := map[uint64]Symbol{}
	for len(addresses) > 0 {
		var batch bpf.SymbolsSymbolBatch // an address 0 ends it
		n := copy(batch.Addresses[:], addresses)
		if err := program.SymbolBatches.Put(uint32(0), &batch); err != nil {
			return nil, err
		}
		if _, err := program.NameSymbols.Run(&ebpf.RunOptions{}); err != nil {
			return nil, err
		}
		if err := program.SymbolBatches.Lookup(uint32(0), &batch); err != nil {
			return nil, err
		}
		for i, address := range addresses[:n] {
			if s, ok := parseSymbol(batch.Names[i][:]); ok {
				found[address] = s
			}
		}
		addresses = addresses[n:]
	}
	return found, nil
}

// bpfName matches the names that the kernel gives to BPF programs and trampolines. Their module is "bpf" in its list of
// symbols, but left out where a program asks.
var bpfName = regexp.MustCompile(`^bpf_(prog_[0-9a-f]{16}|trampoline_[0-9]+)(_|$)`)

// parseSymbol parses "function", "function [module]" or "function [module buildid]", which ends with a
// zero byte. It returns false for "0xaddress", which stands for an address without a function.
func parseSymbol(text []byte) (Symbol, bool) {
	text, _, _ = bytes.Cut(text, []byte{0})
	name, module, _ := strings.Cut(string(text), " [")
	if name == "" || strings.HasPrefix(name, "0x") {
		return Symbol{}, false
	}
	module, _, _ = strings.Cut(strings.TrimSuffix(module, "]"), " ")
	if module == "" && bpfName.MatchString(name) {
		module = "bpf"
	}
	return Symbol{name, module}, true
}
