package debuginfo

import (
	"bytes"
	"debug/dwarf"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
)

// attrGNUDwoName is what compilers used before DWARF 5 for AttrDwoName.
const attrGNUDwoName dwarf.Attr = 0x2130

// SplitName returns the path of the file that has the split unit of a skeleton unit, and the directory
// that the path is relative to (DWARF 5, 7.3.2, "Split DWARF Object Files"). The path is empty for other
// units.
func SplitName(unit *dwarf.Entry) (name, dir string) {
	dir, _ = unit.Val(dwarf.AttrCompDir).(string)
	for _, attribute := range []dwarf.Attr{dwarf.AttrDwoName, attrGNUDwoName} {
		if name, _ = unit.Val(attribute).(string); name != "" {
			return name, dir
		}
	}
	return "", ""
}

// Sizes of headers in the 32-bit format, in bytes (DWARF 5, 7.5.1, 7.26 and 7.28).
const (
	splitUnitHeader  = 20
	strOffsetsHeader = 8
	rangeListsHeader = 12
)

// idSize is the size, in bytes, of the ID that a skeleton unit and its split unit share, which is the
// last field of both headers.
const idSize = 8

// OpenSplit reads the split unit of a skeleton unit of i from f. It returns an error if f has another
// unit, or one of another version than DWARF 5.
func (i *Info) OpenSplit(f *object.File, unit *dwarf.Entry) (*Info, error) {
	sections, size, err := readSections(f, ".dwo", maxSize-i.size)
	if err != nil {
		return nil, err
	}
	info := sections["info"]
	if len(info) < splitUnitHeader || unit.Offset < splitUnitHeader || int(unit.Offset) > len(i.sections["info"]) ||
		!bytes.Equal(info[splitUnitHeader-idSize:splitUnitHeader], i.sections["info"][unit.Offset-idSize:unit.Offset]) {
		return nil, f.Errorf("the split unit belongs to another build, or is not DWARF 5")
	}
	// The skeleton unit has the base of the addresses. The other bases are behind the headers.
	base, _ := unit.Val(dwarf.AttrAddrBase).(int64)
	sections["addr"] = after(i.sections["addr"], base)
	sections["str_offsets"] = after(sections["str_offsets"], strOffsetsHeader)
	sections["rnglists"] = after(sections["rnglists"], rangeListsHeader)
	return newInfo(f, sections, size)
}

// after returns a section without its first bytes.
func after(section []byte, bytes int64) []byte {
	if bytes < 0 || bytes > int64(len(section)) {
		return nil
	}
	return section[bytes:]
}

// AltLink returns the path and the build ID of the file to which dwz has moved entries that several
// objects share (gdb's manual, "Separate Debug Files"). The section .gnu_debugaltlink has the path, a
// zero byte, and the ID.
func AltLink(f *object.File) (path string, buildID []byte, ok bool) {
	const maxAltLink = 4 << 10
	s := f.Section(".gnu_debugaltlink")
	if s == nil {
		return "", nil, false
	}
	raw, err := f.ReadSection(s, maxAltLink)
	if err != nil {
		return "", nil, false
	}
	name, id, found := bytes.Cut(raw, []byte{0})
	return string(name), id, found && len(name) > 0 && len(id) > 0
}

// OpenAlt opens the file to which dwz has moved entries of i. What it reads stays in memory with i.
func (i *Info) OpenAlt(f *object.File) (*Info, error) {
	alt, err := open(f, maxSize-i.size)
	if err == nil {
		i.size += alt.size
	}
	return alt, err
}

// AltString returns a string of the file to which dwz has moved strings, by its offset.
func (i *Info) AltString(offset int64) string {
	section := i.sections["str"]
	if offset < 0 || offset >= int64(len(section)) {
		return ""
	}
	text, _, _ := bytes.Cut(section[offset:], []byte{0})
	return string(text[:min(len(text), object.MaxName)])
}
