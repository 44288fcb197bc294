//go:build linux

package kernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// maxFunction bounds the bytes of a function that are read. Those that we read have 200 to 700.
const maxFunction = 4 << 10

// function is a function of the kernel; size is the distance to the next symbol, in bytes.
type function struct {
	name          string
	address, size uint64
}

// findFunctions returns the functions of the given names, and of their parts that the compiler split
// off ("name.part.0"), from text in the format of /proc/kallsyms. Modules' functions are left out.
func findFunctions(kallsyms io.Reader, names ...string) (map[string][]function, error) {
	found := map[string][]function{}
	var addresses []uint64
	lines := bufio.NewScanner(kallsyms)
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes()) // address, type, name and, of a module, [module]
		if len(fields) != 3 || fields[1][0]|0x20 != 't' {
			continue
		}
		address, err := strconv.ParseUint(string(fields[0]), 16, 64)
		if err != nil || address == 0 {
			continue
		}
		addresses = append(addresses, address)
		name, _, _ := strings.Cut(string(fields[2]), ".")
		if slices.Contains(names, name) {
			f := function{string(fields[2]), address, 0}
			if f.name == name { // the function itself first, then its parts
				found[name] = slices.Insert(found[name], 0, f)
			} else {
				found[name] = append(found[name], f)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the kernel's symbols: %w", err)
	}
	if len(addresses) == 0 {
		return nil, errors.New("the kernel hides the addresses of its functions (sysctl kernel.kptr_restrict)")
	}
	slices.Sort(addresses)
	for _, parts := range found {
		for i := range parts {
			next, _ := slices.BinarySearch(addresses, parts[i].address+1)
			parts[i].size = maxFunction
			if next < len(addresses) {
				parts[i].size = min(maxFunction, addresses[next]-parts[i].address)
			}
		}
	}
	return found, nil
}

// textReader reads memory of the kernel by a BPF program, which needs no /proc/kcore and, unlike
// that, no CAP_SYS_RAWIO.
type textReader struct {
	buffer  *ebpf.Map
	program *ebpf.Program
}

// textChunk is the bytes that one run of the program reads.
const textChunk = 256

// newTextReader loads the program. It fails under lockdown=confidentiality.
func newTextReader() (r *textReader, err error) {
	r = &textReader{}
	r.buffer, err = ebpf.NewMap(&ebpf.MapSpec{Name: "pprof_text", Type: ebpf.Array, KeySize: 4, ValueSize: textChunk, MaxEntries: 1})
	if err != nil {
		return nil, err
	}
	r.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "pprof_text", Type: ebpf.RawTracepoint, License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord), // the address
			asm.StoreImm(asm.RFP, -4, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, r.buffer.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -4),
			asm.FnMapLookupElem.Call(),
			asm.JNE.Imm(asm.R0, 0, "read"),
			asm.Mov.Imm(asm.R0, 1),
			asm.Return(),
			asm.Mov.Reg(asm.R1, asm.R0).WithSymbol("read"),
			asm.Mov.Imm(asm.R2, textChunk),
			asm.Mov.Reg(asm.R3, asm.R6),
			asm.FnProbeReadKernel.Call(),
			asm.Return(), // what the helper returned: 0 or an error
		},
	})
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *textReader) close() {
	r.program.Close()
	r.buffer.Close()
}

// read returns the function's machine code.
func (r *textReader) read(f function) ([]byte, error) {
	var code []byte
	for uint64(len(code)) < f.size {
		chunk := make([]byte, textChunk)
		ret, err := r.program.Run(&ebpf.RunOptions{Context: []uint64{f.address + uint64(len(code))}})
		if err != nil {
			return nil, err
		}
		if ret != 0 {
			return nil, fmt.Errorf("read %s at %#x: error %d", f.name, f.address, int32(ret))
		}
		if err := r.buffer.Lookup(uint32(0), chunk); err != nil {
			return nil, err
		}
		code = append(code, chunk...)
	}
	return code[:f.size], nil
}
