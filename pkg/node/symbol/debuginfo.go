//go:build linux

package symbol

import (
	"cmp"
	"debug/dwarf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/debuginfo"
)

// Limits on the search in one object's debugging information.
const (
	maxSteps = 8 << 20 // entries, ranges and lines that are looked at
	maxCalls = 1 << 18 // functions at the addresses, inlined ones too; large C++ programs have 100,000
)

// Errors of a search that reaches a limit.
var (
	errTooLong = fmt.Errorf("the search in its debugging information takes more than %d million steps, "+
		"or finds more than %d functions", maxSteps>>20, maxCalls)
	errTooDeep = fmt.Errorf("entries of its debugging information are nested more than %d deep", maxDepth)
)

// debugInfoFrames returns, by address, the functions at the sorted addresses, inlined ones first,
// with files and lines. Addresses that the debugging information does not cover are left out. The
// error is the first reason why something was not read; everything else is returned with it.
//
// open opens other files, where debugging information is split or shared. Where such a file is
// missing, functions have no lines, or inlined calls no names.
func debugInfoFrames(f *object.File, addresses []uint64, d *deadline, open opener) (map[uint64][]frame, error) {
	s := &dwarfSearch{
		file: f, names: map[dwarf.Offset]frame{},
		searched: &searched{found: map[uint64][]frame{}, deadline: d, open: open},
	}
	if err := s.search(addresses); err != nil {
		s.addError(err)
	}
	return s.found, s.err
}

// dwarfSearch is the search in the debugging information of one file.
type dwarfSearch struct {
	file  *object.File
	info  *debuginfo.Info
	alt   *dwarfSearch           // the file with what several objects share, or nil
	names map[dwarf.Offset]frame // functions that were looked up, by the offset of their entry
	*searched
}

// searched is what the searches in all files of one object share.
type searched struct {
	found    map[uint64][]frame
	steps    int
	calls    int   // of found
	splits   int   // files that were opened for units
	err      error // the first
	deadline *deadline
	open     opener
}

// opener calls use with the object at a path, which may be relative to the file that names it. It returns
// the error of use, or why the object cannot be opened. The object is valid until use returns.
type opener func(path string, use func(*object.File) error) error

// step counts a step and checks the limits.
func (s *searched) step() error {
	if s.steps++; s.steps > maxSteps {
		return errTooLong
	}
	if s.deadline.step() {
		return errTimeUp
	}
	return nil
}

// addError keeps the first error. It adds the name of the file, which limits on the file have.
func (s *dwarfSearch) addError(err error) {
	if s.file.Err() == nil && err != errTimeUp {
		err = s.file.Errorf("%w", err)
	}
	s.addNamedError(err)
}

// addNamedError keeps the first error.
func (s *searched) addNamedError(err error) { s.err = cmp.Or(s.err, err) }

// isFinal reports whether an error ends the search in all units of the file.
func (s *dwarfSearch) isFinal(err error) bool {
	return errors.Is(err, errTooLong) || errors.Is(err, errTimeUp) || s.file.Err() != nil
}

// recoverMalformed turns a panic of debug/dwarf, which is not made for hostile files, into an error.
// It must be deferred.
func (s *dwarfSearch) recoverMalformed(err *error) {
	if reason := recover(); reason != nil {
		*err = fmt.Errorf("its debugging information is malformed: %v", reason)
	}
}

// search finds the functions at the addresses in all units of the file.
func (s *dwarfSearch) search(addresses []uint64) (err error) {
	defer s.recoverMalformed(&err)
	if s.info, err = debuginfo.Open(s.file); err != nil {
		if !errors.Is(err, debuginfo.ErrNone) {
			s.addNamedError(err)
		}
		return nil
	}
	s.alt = s.openAlt()
	r := s.info.Reader()
	for {
		unit, err := r.Next()
		if err != nil || unit == nil {
			return err
		}
		if s.deadline.exceeded() {
			return errTimeUp
		}
		if unit.Tag == dwarf.TagCompileUnit || unit.Tag == dwarf.TagSkeletonUnit {
			if err := s.searchUnit(unit, addresses); s.isFinal(err) {
				return err
			} else if err != nil {
				s.addError(err) // the other units may be right
			}
		}
		if err := s.skipChildren(r, unit); err != nil {
			return err
		}
	}
}

// covered returns those of the sorted addresses that are in an entry's ranges.
func (s *dwarfSearch) covered(e *dwarf.Entry, addresses []uint64) ([]uint64, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	ranges, err := s.info.Ranges(e)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, r := range ranges {
		i, _ := slices.BinarySearch(addresses, r[0])
		for ; i < len(addresses) && addresses[i] < r[1]; i++ {
			if err := s.step(); err != nil {
				return nil, err
			}
			all = append(all, addresses[i])
		}
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// searchUnit finds the lines and functions of those of the addresses that are in a compilation unit.
func (s *dwarfSearch) searchUnit(unit *dwarf.Entry, addresses []uint64) (err error) {
	defer s.recoverMalformed(&err)
	addresses, err = s.covered(unit, addresses)
	if err != nil || len(addresses) == 0 {
		return err
	}
	lines, files, err := s.findLines(unit, addresses)
	if s.isFinal(err) {
		return err
	} else if err != nil {
		s.addError(err) // the functions are right without lines
		lines = nil
	}
	functions, first := s, unit.Offset
	if name, dir := debuginfo.SplitName(unit); name != "" {
		// Without the split unit, lines would be those of inlined calls, under the name of the outer function.
		if functions, first, err = s.openSplit(unit, name, dir); err != nil {
			s.addNamedError(err)
			return nil
		}
	}
	r := functions.info.Reader()
	r.Seek(first)
	calls := map[uint64][]call{}
	if _, err = r.Next(); err == nil {
		err = functions.findFunctions(r, addresses, calls, files, 0)
	}
	if s.isFinal(err) {
		return err
	} else if err != nil {
		functions.addError(err)
		return nil
	}
	for _, a := range addresses {
		s.found[a] = joinFrames(lines[a], calls[a])
	}
	return nil
}

// call is a function at an address and, if it is inlined, where it is called.
type call struct {
	function frame
	file     string
	line     int
}

// joinFrames returns the frames of an address. calls has its functions from the outermost inwards.
// Without functions there is one frame that has no name yet.
func joinFrames(line dwarf.LineEntry, calls []call) []frame {
	file, number := "", line.Line
	if line.File != nil {
		file = line.File.Name
	}
	if len(calls) == 0 {
		return []frame{{file: file, line: number}}
	}
	var frames []frame
	for _, c := range slices.Backward(calls) {
		f := c.function
		f.file, f.line = file, number
		frames = append(frames, f)
		file, number = c.file, c.line
	}
	return frames
}

// findLines reads the unit's line table once. It returns the rows of the addresses, and the unit's
// files.
func (s *dwarfSearch) findLines(unit *dwarf.Entry, addresses []uint64) (map[uint64]dwarf.LineEntry, []*dwarf.LineFile, error) {
	rows := map[uint64]dwarf.LineEntry{}
	r, err := s.info.Lines(unit)
	if err != nil || r == nil {
		return rows, nil, err
	}
	var before, row dwarf.LineEntry
	for before.EndSequence = true; ; before = row {
		if err := r.Next(&row); err == io.EOF {
			return rows, r.Files(), nil
		} else if err != nil {
			return rows, r.Files(), err
		}
		if err := s.step(); err != nil {
			return rows, nil, err
		}
		if before.EndSequence || row.Address <= before.Address {
			continue
		}
		i, _ := slices.BinarySearch(addresses, before.Address)
		for ; i < len(addresses) && addresses[i] < row.Address; i++ {
			if err := s.step(); err != nil {
				return rows, nil, err
			}
			rows[addresses[i]] = before
		}
	}
}

// maxDepth limits the nesting of entries. Namespaces, classes, blocks and inlined calls make a few
// dozen levels.
const maxDepth = 512

// findFunctions walks the children of the entry that was read last and adds the functions at the
// addresses to calls.
func (s *dwarfSearch) findFunctions(r *dwarf.Reader, addresses []uint64, calls map[uint64][]call, files []*dwarf.LineFile, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e == nil || e.Tag == 0 {
			return nil
		}
		if err := s.step(); err != nil {
			return err
		}
		below := addresses
		switch e.Tag {
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			if below, err = s.covered(e, addresses); err != nil {
				return err
			}
			c := call{}
			if e.Tag == dwarf.TagInlinedSubroutine {
				line, _ := e.Val(dwarf.AttrCallLine).(int64)
				c.file, c.line = callFile(e, files), int(line)
			} else { // a function with several names has an entry for each, of which the first counts
				below = slices.DeleteFunc(slices.Clone(below), func(a uint64) bool { return len(calls[a]) > 0 })
			}
			if len(below) > 0 {
				c.function = s.function(e, 0)
			}
			for _, a := range below {
				if len(calls[a]) < maxDepth {
					if s.calls++; s.calls > maxCalls {
						return errTooLong
					}
					calls[a] = append(calls[a], c)
				}
			}
		case dwarf.TagLexDwarfBlock, dwarf.TagNamespace, dwarf.TagModule, dwarf.TagStructType, dwarf.TagClassType:
		default:
			below = nil
		}
		if len(below) == 0 {
			if err := s.skipChildren(r, e); err != nil {
				return err
			}
		} else if e.Children {
			if err := s.findFunctions(r, below, calls, files, depth+1); err != nil {
				return err
			}
		}
	}
}

// skipChildren skips the children of e, the entry that was read last. It does what the reader's own
// SkipChildren does, until the deadline.
func (s *dwarfSearch) skipChildren(r *dwarf.Reader, e *dwarf.Entry) error {
	for depth := 0; ; {
		sibling, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset)
		switch {
		case e.Tag == 0:
			depth--
		case e.Children && ok && sibling > e.Offset:
			r.Seek(sibling)
		case e.Children:
			depth++
		}
		if depth <= 0 {
			return nil
		}
		if s.deadline.step() {
			return errTimeUp
		}
		var err error
		if e, err = r.Next(); err != nil || e == nil {
			return err
		}
	}
}

// callFile returns the file of an inlined function's call.
func callFile(e *dwarf.Entry, files []*dwarf.LineFile) string {
	i, ok := e.Val(dwarf.AttrCallFile).(int64)
	if !ok || i < 0 || i >= int64(len(files)) || files[i] == nil {
		return ""
	}
	return files[i].Name
}

// attrMIPSLinkageName is the attribute for the linker's name before DWARF 4 defined one.
const attrMIPSLinkageName dwarf.Attr = 0x2007

// function returns the name and the start line of an entry's function. These may be in the entry
// that it is an instance of, or that declares it.
func (s *dwarfSearch) function(e *dwarf.Entry, depth int) frame {
	if known, ok := s.names[e.Offset]; ok {
		return known
	}
	var f frame
	for _, attribute := range []dwarf.Attr{dwarf.AttrLinkageName, attrMIPSLinkageName, dwarf.AttrName} {
		if name := s.text(e, attribute); name != "" && f.name == "" {
			f.name = strings.Clone(name[:min(len(name), object.MaxName)])
		}
	}
	line, _ := e.Val(dwarf.AttrDeclLine).(int64)
	f.start = int(line)
	for _, attribute := range []dwarf.Attr{dwarf.AttrAbstractOrigin, dwarf.AttrSpecification} {
		in, offset := s.reference(e, attribute)
		if in == nil || depth == maxReferences {
			continue
		}
		r := in.info.Reader()
		r.Seek(offset)
		if origin, err := r.Next(); err == nil && origin != nil {
			other := in.function(origin, depth+1)
			// A declaration has the linker's name where the definition has only the short one.
			if f.name == "" || strings.HasPrefix(other.name, "_") && !strings.HasPrefix(f.name, "_") {
				f.name = other.name
			}
			if f.start == 0 {
				f.start = other.start
			}
		}
	}
	s.names[e.Offset] = f
	return f
}

// maxReferences limits the chain of entries from an inlined instance by its origin to its
// declaration.
const maxReferences = 8
