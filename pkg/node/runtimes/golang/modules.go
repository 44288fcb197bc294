//go:build linux

package golang

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/gopclntab"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// module is a mapped object with Go code: an executable, a library or a plugin.
type module struct {
	file    *proc.File // nil for a recorded image
	mapping proc.Mapping
	exe     *object.File
	table   *gopclntab.Table
	code    gopclntab.Range // all functions, as addresses in the file
	bias    uint64          // address in the process minus address in the file
}

// maxModules bounds the Go objects of a process, including those that cannot be read. Each costs up to
// 2 MiB for pages of its file.
const maxModules = 32

// maxOpenTime bounds the time for opening the mapped files of a process, of which there may be 65,536. A
// file takes a millisecond at most if it is not Go's.
const maxOpenTime = 20 * time.Second

// openModules opens the Go objects among the mapped files, in the order of the mappings, up to maxModules.
// It opens no more files after until. The error names those that cannot be read.
func openModules(p *proc.Process, mappings []proc.Mapping, until time.Time) (all []module, err error) {
	type key struct {
		dev   string
		inode uint64
	}
	tried := map[key]bool{}
	var errs []error
	for _, m := range mappings {
		if k := (key{m.Dev, m.Inode}); m.Inode == 0 || tried[k] {
			continue
		} else {
			tried[k] = true
		}
		if !time.Now().Before(until) {
			err := fmt.Errorf("opening its mapped files takes longer than %v; the others are left out", maxOpenTime)
			return all, errors.Join(append(errs, describeProcess(p, err))...)
		}
		f, err := p.OpenMapping(m)
		if err != nil {
			continue // a file that cannot be opened is not counted as Go
		}
		mod, err := openModule(f, m)
		full := len(all)+len(errs) >= maxModules
		if err == nil && !full {
			mod.file = f
			all = append(all, mod)
			continue
		}
		f.Close()
		switch {
		case errors.Is(err, ErrNotGo):
		case full:
			err = fmt.Errorf("%w: more than %d mapped files are built with Go; the others are left out",
				ErrUnsupported, maxModules)
			return all, errors.Join(append(errs, describeProcess(p, err))...)
		default:
			errs = append(errs, describeError(p, f.Path(), err))
		}
	}
	return all, errors.Join(errs...)
}

// explainNotGo returns why a process without objects that are built with Go cannot be read. The error
// wraps ErrNotGo, ErrPacked or ErrUnsupported.
func explainNotGo(p *proc.Process) error {
	f, err := p.OpenExecutable()
	if err != nil {
		return ErrNotGo
	}
	defer f.Close()
	if packer := object.Packer(f, f.Size()); packer != "" {
		return fmt.Errorf("%w by %s, which hides whether it is a Go program; profile it as it was before it was packed",
			ErrPacked, packer)
	}
	if o, err := object.Open(f); err == nil {
		if compiler := o.OtherGoCompiler(); compiler != "" {
			return fmt.Errorf("%w: it is built by %s, and only programs built by Go's own compiler can be read; "+
				"cpu, offcpu and faults profile it", ErrUnsupported, compiler)
		}
	}
	return ErrNotGo
}

// describeProcess adds the name of a process to an error.
func describeProcess(p *proc.Process, err error) error {
	return fmt.Errorf("process %d (%s): %w", p.NSPID, p.Name, err)
}

// describeError adds the names of a process and of a file that it maps to an error.
func describeError(p *proc.Process, path string, err error) error {
	return describeProcess(p, fmt.Errorf("%s: %w", path, err))
}

// openModule opens an object that is mapped at m. The error wraps ErrNotGo or ErrUnsupported.
func openModule(file io.ReaderAt, m proc.Mapping) (module, error) {
	f, err := object.Open(file)
	if err != nil {
		return module{}, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	table, err := gopclntab.Open(f)
	if err != nil {
		return module{}, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 && f.Machine != elf.EM_AARCH64 {
		return module{}, fmt.Errorf("%w: it is built for %s, and only programs for amd64 and arm64 can be read",
			ErrUnsupported, architecture(f))
	}
	bias, err := biasOf(f, m)
	if err != nil {
		return module{}, err
	}
	code, err := table.Code()
	if err != nil {
		return module{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return module{mapping: m, exe: f, table: table, code: code, bias: bias}, nil
}

// contains reports whether an address of the process is in one of the module's functions.
func (m *module) contains(pc uint64) bool {
	pc -= m.bias
	return m.code.Start <= pc && pc < m.code.End
}

// moduleAt returns the module that contains an address of the process, or the first module.
func (r *Runtime) moduleAt(pc uint64) *module {
	if !r.module.contains(pc) {
		for i := range r.plugins {
			if r.plugins[i].contains(pc) {
				return &r.plugins[i]
			}
		}
	}
	return &r.module
}

// data returns the address of the module's runtime.moduledata in the process, or 0 if it is not known.
func (m *module) data() uint64 {
	if address := m.table.Moduledata(); address != 0 {
		return address + m.bias
	}
	return 0
}

// buildMode returns the -buildmode in the module's build information, or "" if that has none, as in programs that were
// not built by the go command.
func (m *module) buildMode() string {
	info, err := m.exe.GoBuildInfo()
	if err != nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "-buildmode" {
			return s.Value
		}
	}
	return ""
}

// moduledataSize is a size that runtime.moduledata does not exceed. It has 592 bytes in Go 1.26.
const moduledataSize = 640

// groupByRuntime returns the modules of each runtime: first the one with the runtime, then its plugins. The
// runtime links their module data in a list (moduledata.next, runtime/symtab.go). As the offset of
// that field differs between versions, each word is compared with the addresses of the others.
func groupByRuntime(all []module, memory Memory) ([][]module, error) {
	next := make([]int, len(all)) // index of the module that follows in the list, or -1
	for i := range next {
		next[i] = -1
	}
	last := func(i int) int { // of the list from module i on
		for next[i] >= 0 {
			i = next[i]
		}
		return i
	}
	isNext := make([]bool, len(all))
	for i := range all {
		address := all[i].data()
		if address == 0 {
			continue
		}
		raw := make([]byte, moduledataSize)
		if err := memory.Read(proc.MemoryPart{Address: address, Bytes: raw}); err != nil {
			return nil, fmt.Errorf("module data: %w", err)
		}
		for at := 0; at < len(raw); at += 8 {
			word := binary.LittleEndian.Uint64(raw[at:])
			j := slices.IndexFunc(all, func(m module) bool { return m.data() == word && word != 0 })
			if j >= 0 && !isNext[j] && last(j) != i {
				next[i], isNext[j] = j, true
				break
			}
		}
	}
	var groups [][]module
	var unlinked []module // plugins that the runtime has not linked yet
	for i, m := range all {
		if isNext[i] {
			continue
		}
		if next[i] < 0 && m.buildMode() == "plugin" {
			unlinked = append(unlinked, m)
			continue
		}
		var group []module
		for j := i; j >= 0; j = next[j] {
			group = append(group, all[j])
		}
		groups = append(groups, group)
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("%w: no object has a Go runtime", ErrUnsupported)
	}
	groups[0] = append(groups[0], unlinked...)
	return groups, nil
}

// architecture returns what Go calls the machine that a program is built for, if it is one of the
// usual 32-bit machines.
func architecture(f *object.File) string {
	switch f.Machine {
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	}
	return fmt.Sprintf("%v, %v", f.Machine, f.Class)
}
