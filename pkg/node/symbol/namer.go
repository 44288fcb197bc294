//go:build linux

package symbol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// namer names the code of one object.
type namer struct {
	file   *object.File
	code   object.CodeSegments
	table  codeTable          // nil if the object has none
	found  map[uint64][]frame // by the addresses that find was called with and that are not in the table
	starts map[uint64]uint64  // first addresses of functions, by addresses without frames
	time   *deadline
	errs   []error           // why files were not read to the end
	debug  func() *proc.File // opens the file that the symbols were moved to, if there is one
	path   string            // of the object
	// open opens another file in the root directory of the object's process.
	open func(path string) (*proc.File, error)
}

// openFile returns nil for a file that is not an object.
func openFile(f *proc.File, d *deadline) *namer {
	n := newNamer(timedFile{f, d}, d)
	if n != nil {
		n.debug = func() *proc.File { return openDebugFile(f, n.file, d) }
		n.path = f.Path()
		n.open = f.OpenInRoot
	}
	return n
}

// openVDSO opens the code that the kernel maps into every process. It returns nil if that cannot be
// read.
func openVDSO(d *deadline) *namer {
	code := proc.VDSO()
	if code == nil {
		return nil
	}
	return newNamer(bytes.NewReader(code), d)
}

func newNamer(r io.ReaderAt, d *deadline) *namer {
	f, err := object.Open(r)
	if err != nil {
		return nil
	}
	n := &namer{
		file: f, code: f.CodeSegments(), found: map[uint64][]frame{}, time: d,
		debug: func() *proc.File { return nil }, open: openNone,
	}
	for _, open := range codeTables {
		if n.table = open(f); n.table != nil {
			break
		}
	}
	return n
}

// openNone opens the files that the kernel's own code refers to: there are none.
func openNone(path string) (*proc.File, error) {
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// address converts an address of a process to the object's own numbering.
func (n *namer) address(m *profile.Mapping, address uint64) uint64 {
	offset := address - m.Start + m.Offset
	if a, ok := n.code.Address(offset); ok {
		return a
	}
	return offset
}

// frames returns the functions at an address, inlined ones first; none if it is unknown. Addresses
// that are not in the runtime's table must have been passed to find.
func (n *namer) frames(address uint64) []frame {
	if n.table != nil {
		if frames := n.table.frames(address); len(frames) > 0 {
			return frames
		}
	}
	return n.found[address]
}

// find looks up those of the addresses that the runtime's table does not have. It looks them up all
// at once, because symbols and debugging information are read in one pass and not kept.
func (n *namer) find(addresses []uint64) {
	var rest []uint64
	for _, a := range addresses {
		if n.time.step() {
			return
		}
		if n.table == nil || !n.table.covers(a) {
			rest = append(rest, a)
		}
	}
	if len(rest) == 0 {
		return
	}
	slices.Sort(rest)
	rest = slices.Compact(rest)
	files, paths := []*object.File{n.file}, []string{n.path}
	if debug := n.debug(); debug != nil {
		defer debug.Close()
		if f, err := object.Open(timedFile{debug, n.time}); err == nil {
			files, paths = append(files, f), append(paths, debug.Path())
		}
	}
	if mini := n.file.MiniDebugInfo(); mini != nil {
		files, paths = append(files, mini), append(paths, n.path)
	}
	names := nearestSymbols(files, rest)
	defer func() {
		for _, f := range files {
			if err := f.Err(); err != nil && !slices.Contains(n.errs, err) { // what is unpacked has the same
				n.errs = append(n.errs, err)
			}
		}
	}()
	for i, f := range files {
		frames, err := debugInfoFrames(f, rest, n.time, n.openBeside(paths[i]))
		if err != nil && !errors.Is(err, errTimeUp) && f.Err() == nil {
			n.errs = append(n.errs, fmt.Errorf("%w; "+
				"functions without it have the names of symbols, but no lines and no inlined calls", err))
		}
		for a, found := range frames {
			if len(n.found[a]) == 0 {
				n.found[a] = found
			}
		}
	}
	stubs := n.file.StubTargets(rest)
	var unknown []uint64
	gccgo := n.file.IsGccgo()
	for _, a := range rest {
		if target := stubs[a]; target != "" {
			n.found[a] = []frame{{name: target + stubSuffix}} // as objdump names it
			continue
		}
		if gccgo && isGoOrUnknown(n.found[a]) {
			names[a] = gccgoName(names[a])
		}
		if n.setSymbol(a, names[a]); len(n.found[a]) == 0 {
			unknown = append(unknown, a)
		}
	}
	n.starts = ehframe.Starts(n.file, unknown)
}

// openBeside returns an opener of files that a file at a path names.
func (n *namer) openBeside(file string) opener {
	return func(name string, use func(*object.File) error) error {
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(file), name)
		}
		other, err := n.open(name)
		if err != nil {
			return err
		}
		defer other.Close()
		f, err := object.Open(timedFile{other, n.time})
		if err != nil {
			return err
		}
		return use(f)
	}
}

// setSymbol names the outermost function at an address by its symbol: for static functions of C++,
// debugging information has only the short name. It drops the frames of inlined calls without a
// name, which are in a file that is missing, and all frames of an address that has no name at all.
func (n *namer) setSymbol(address uint64, symbol string) {
	found := n.found[address]
	if len(found) == 0 {
		found = []frame{{}}
	}
	outer := &found[len(found)-1]
	if symbol != "" {
		outer.name = symbol
	}
	if outer.name == "" {
		delete(n.found, address)
		return
	}
	if i := lastWithoutName(found); i >= 0 {
		found = found[i+1:]
	}
	n.found[address] = found
}

// lastWithoutName returns the index of the outermost frame without a name, or -1.
func lastWithoutName(frames []frame) int {
	for i, f := range slices.Backward(frames) {
		if f.name == "" {
			return i
		}
	}
	return -1
}
