//go:build linux

package symbol

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// Bounds on debugging information. Package debug/dwarf wants it in memory as a whole, and the profiler
// has 80 MB for everything: of larger objects only the names of functions are shown, from their symbols.
const (
	maxDWARF = 40 << 20 // bytes, unpacked
	maxSteps = 8 << 20  // entries, ranges and lines that are looked at in one object

	maxDWARFTime = 10 * time.Second // in one object, for a step may be a long one
)

// errTooLong ends the reading of an object that claims to have more than maxSteps of something.
var errTooLong = errors.New("debugging information is too long")

// dwarfFrames finds for each of the sorted addresses the functions, those inlined there first, with files
// and lines. Addresses that the object says nothing of are left out; with an error come those that
// were found before it.
func dwarfFrames(f *object.File, addresses []uint64) (map[uint64][]frame, error) {
	found := map[uint64][]frame{}
	loaded, err := loadDWARF(f)
	if err != nil {
		return found, err
	}
	s := &dwarfSearch{dwarfData: loaded, found: found, names: map[dwarf.Offset]frame{}, deadline: time.Now().Add(maxDWARFTime)}
	r := s.data.Reader()
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
				if err := s.unit(unit, covered); err != nil {
					return found, err
				}
			}
		}
		r.SkipChildren()
	}
}

// dwarfData is the debugging information of an object, with what is needed to check more of it when it is used.
type dwarfData struct {
	data     *dwarf.Data
	sections map[string][]byte
	order    binary.ByteOrder
}

// loadDWARF reads the sections, unpacked if they are compressed.
func loadDWARF(f *object.File) (*dwarfData, error) {
	names := []string{"abbrev", "info", "line", "ranges", "str", "addr", "line_str", "rnglists", "str_offsets"}
	sections, total := map[string][]byte{}, uint64(0)
	for _, name := range names {
		s := f.Section(".debug_" + name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		// s.Size is what a compressed section claims to have unpacked; no more is read.
		if total += s.Size; s.Size > maxDWARF || total > maxDWARF {
			return nil, fmt.Errorf("more than %d bytes of debugging information", maxDWARF)
		}
		data := make([]byte, s.Size) // Data would grow it step by step, up to twice of this
		if _, err := io.ReadFull(s.Open(), data); err != nil {
			return nil, fmt.Errorf("section .debug_%s: %w", name, err)
		}
		sections[name] = data
	}
	if len(sections["info"]) == 0 {
		return nil, errors.New("no debugging information")
	}
	if err := errors.Join(
		checkUnits(sections["info"], sections["abbrev"], binary.LittleEndian), checkTexts(sections["str"]), checkTexts(sections["line_str"]),
	); err != nil {
		return nil, err
	}
	data, err := dwarf.New(sections["abbrev"], nil, nil, sections["info"], sections["line"], nil, sections["ranges"], sections["str"])
	if err != nil {
		return nil, err
	}
	for _, name := range names[5:] {
		if err := data.AddSection(".debug_"+name, sections[name]); err != nil {
			return nil, err
		}
	}
	return &dwarfData{data, sections, binary.LittleEndian}, nil
}

// dwarfSearch is the search in one object.
type dwarfSearch struct {
	*dwarfData
	found    map[uint64][]frame
	names    map[dwarf.Offset]frame // functions that were looked up by the place of their entry
	steps    int
	deadline time.Time
}

func (s *dwarfSearch) step() error {
	if s.steps++; s.steps > maxSteps || time.Now().After(s.deadline) {
		return errTooLong
	}
	return nil
}

// covered gives those of the sorted addresses that are in an entry's ranges.
func (s *dwarfSearch) covered(e *dwarf.Entry, addresses []uint64) ([]uint64, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	ranges, err := s.data.Ranges(e)
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

// unit finds the lines of the addresses that are in one compilation unit, then their functions.
func (s *dwarfSearch) unit(unit *dwarf.Entry, addresses []uint64) error {
	lines, files, err := s.lines(unit, addresses)
	if err != nil {
		return err
	}
	r := s.data.Reader()
	r.Seek(unit.Offset)
	if _, err := r.Next(); err != nil {
		return err
	}
	calls := map[uint64][]inlinedAt{}
	if err := s.functions(r, addresses, calls, files, 0); err != nil {
		return err
	}
	for _, a := range addresses {
		s.found[a] = framesOf(lines[a], calls[a])
	}
	return nil
}

// inlinedAt is a function at an address and, if it is inlined, the place that calls it.
type inlinedAt struct {
	function frame
	file     string
	line     int
}

// framesOf joins what is known of an address: calls has the functions from the outermost inwards.
// Without functions there is one frame that has no name yet.
func framesOf(line dwarf.LineEntry, calls []inlinedAt) []frame {
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

// lines reads the unit's line table once and keeps the rows of the addresses.
func (s *dwarfSearch) lines(unit *dwarf.Entry, addresses []uint64) (map[uint64]dwarf.LineEntry, []*dwarf.LineFile, error) {
	rows := map[uint64]dwarf.LineEntry{}
	if offset, ok := unit.Val(dwarf.AttrStmtList).(int64); ok {
		texts := map[uint64][]byte{formStrp: s.sections["str"], formLineStrp: s.sections["line_str"]}
		if checkLines(s.sections["line"], offset, s.order, texts) != nil {
			return rows, nil, nil // the functions are there without lines
		}
	}
	r, err := s.data.LineReader(unit)
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

// maxDepth bounds the nesting of entries; namespaces, classes, blocks and inlined calls make some dozens.
const maxDepth = 512

// functions walks the entries below the one that was read last and notes the functions at the addresses.
func (s *dwarfSearch) functions(r *dwarf.Reader, addresses []uint64, calls map[uint64][]inlinedAt, files []*dwarf.LineFile, depth int) error {
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
			call := inlinedAt{function: s.function(e, 0)}
			if e.Tag == dwarf.TagInlinedSubroutine {
				line, _ := e.Val(dwarf.AttrCallLine).(int64)
				call.file, call.line = fileOf(e, files), int(line)
			} else { // one function of several names has an entry for each: the first is taken
				below = slices.DeleteFunc(slices.Clone(below), func(a uint64) bool { return len(calls[a]) > 0 })
			}
			for _, a := range below {
				if len(calls[a]) < maxDepth {
					calls[a] = append(calls[a], call)
				}
			}
		case dwarf.TagLexDwarfBlock, dwarf.TagNamespace, dwarf.TagModule, dwarf.TagStructType, dwarf.TagClassType:
		default:
			below = nil
		}
		if len(below) == 0 {
			r.SkipChildren()
		} else if e.Children {
			if err := s.functions(r, below, calls, files, depth+1); err != nil {
				return err
			}
		}
	}
}

func fileOf(e *dwarf.Entry, files []*dwarf.LineFile) string {
	i, ok := e.Val(dwarf.AttrCallFile).(int64)
	if !ok || i < 0 || i >= int64(len(files)) || files[i] == nil {
		return ""
	}
	return files[i].Name
}

// attrMIPSLinkageName is what compilers used before DWARF 4 had an attribute for it.
const attrMIPSLinkageName dwarf.Attr = 0x2007

// function names an entry's function. Its name may be in the entry that it is an instance of or that
// declares it.
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
		r := s.data.Reader()
		r.Seek(offset)
		if origin, err := r.Next(); err == nil && origin != nil {
			other := s.function(origin, depth+1)
			// A declaration has the linker's name where the definition has the short one only.
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

// maxReferences bounds the chain from an inlined instance over its origin to its declaration.
const maxReferences = 8
