package symbol

import (
	"debug/dwarf"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/debuginfo"
)

// Limits on the search in one object's debugging information.
const (
	maxSteps     = 8 << 20          // entries, ranges and lines that are looked at
	maxDWARFTime = 10 * time.Second // because a single step may take long
)

// errTooLong ends a search that reaches one of the limits.
var errTooLong = errors.New("debugging information is too long")

// debugInfoFrames returns, by address, the functions at the sorted addresses, inlined ones first,
// with files and lines. Addresses that the debugging information does not cover are left out. After
// an error, it returns what was found before.
func debugInfoFrames(f *object.File, addresses []uint64) (map[uint64][]frame, error) {
	found := map[uint64][]frame{}
	info, err := debuginfo.Open(f)
	if err != nil {
		return found, err
	}
	s := &dwarfSearch{info: info, found: found, names: map[dwarf.Offset]frame{}, deadline: time.Now().Add(maxDWARFTime)}
	r := s.info.Reader()
	for {
		unit, err := r.Next()
		if err != nil || unit == nil {
			return found, err
		}
		if unit.Tag == dwarf.TagCompileUnit {
			covered, err := s.covered(unit, addresses)
			if err != nil {
				return found, err
			}
			if len(covered) > 0 {
				if err := s.searchUnit(unit, covered); err != nil {
					return found, err
				}
			}
		}
		r.SkipChildren()
	}
}

// dwarfSearch is the search in one object.
type dwarfSearch struct {
	info     *debuginfo.Info
	found    map[uint64][]frame
	names    map[dwarf.Offset]frame // functions that were looked up, by the offset of their entry
	steps    int
	deadline time.Time
}

// step counts a step and checks the limits.
func (s *dwarfSearch) step() error {
	if s.steps++; s.steps > maxSteps || time.Now().After(s.deadline) {
		return errTooLong
	}
	return nil
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

// searchUnit finds the lines and functions of addresses that are in one compilation unit.
func (s *dwarfSearch) searchUnit(unit *dwarf.Entry, addresses []uint64) error {
	lines, files, err := s.findLines(unit, addresses)
	if err != nil {
		return err
	}
	r := s.info.Reader()
	r.Seek(unit.Offset)
	if _, err := r.Next(); err != nil {
		return err
	}
	calls := map[uint64][]call{}
	if err := s.findFunctions(r, addresses, calls, files, 0); err != nil {
		return err
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
		return errTooLong
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
			c := call{function: s.function(e, 0)}
			if e.Tag == dwarf.TagInlinedSubroutine {
				line, _ := e.Val(dwarf.AttrCallLine).(int64)
				c.file, c.line = callFile(e, files), int(line)
			} else { // a function with several names has an entry for each, of which the first counts
				below = slices.DeleteFunc(slices.Clone(below), func(a uint64) bool { return len(calls[a]) > 0 })
			}
			for _, a := range below {
				if len(calls[a]) < maxDepth {
					calls[a] = append(calls[a], c)
				}
			}
		case dwarf.TagLexDwarfBlock, dwarf.TagNamespace, dwarf.TagModule, dwarf.TagStructType, dwarf.TagClassType:
		default:
			below = nil
		}
		if len(below) == 0 {
			r.SkipChildren()
		} else if e.Children {
			if err := s.findFunctions(r, below, calls, files, depth+1); err != nil {
				return err
			}
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
		if name, _ := e.Val(attribute).(string); name != "" && f.system == "" {
			name = strings.Clone(name[:min(len(name), object.MaxName)])
			f.system, f.name = name, demangled(name)
		}
	}
	line, _ := e.Val(dwarf.AttrDeclLine).(int64)
	f.start = int(line)
	for _, attribute := range []dwarf.Attr{dwarf.AttrAbstractOrigin, dwarf.AttrSpecification} {
		offset, ok := e.Val(attribute).(dwarf.Offset)
		if !ok || depth == maxReferences {
			continue
		}
		r := s.info.Reader()
		r.Seek(offset)
		if origin, err := r.Next(); err == nil && origin != nil {
			other := s.function(origin, depth+1)
			// A declaration has the linker's name where the definition has only the short one.
			if f.system == "" || strings.HasPrefix(other.system, "_") && !strings.HasPrefix(f.system, "_") {
				f.name, f.system = other.name, other.system
			}
			if f.start == 0 {
				f.start = other.start
			}
		}
	}
	s.names[e.Offset] = f
	return f
}

// maxReferences limits the chain of entries from an inlined instance by its origin to its declaration.
const maxReferences = 8
