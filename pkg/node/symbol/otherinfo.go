//go:build linux

package symbol

import (
	"debug/dwarf"
	"encoding/hex"
	"path"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/debuginfo"
)

// maxSplits limits the files with split units that are opened for one object. Each is read into memory,
// one after the other. The samples of a program rarely have code of more than some hundred units.
const maxSplits = 1 << 10

// openSplit opens the file with the split unit of a skeleton unit. It returns the offset of the split
// unit there.
func (s *dwarfSearch) openSplit(unit *dwarf.Entry, name, dir string) (*dwarfSearch, dwarf.Offset, error) {
	if s.splits++; s.splits > maxSplits {
		return nil, 0, s.file.Errorf("the sampled code has split debugging information in more than %d files", maxSplits)
	}
	if !path.IsAbs(name) {
		name = path.Join(dir, name)
	}
	split := &dwarfSearch{names: map[dwarf.Offset]frame{}, searched: s.searched}
	if err := s.open(name, func(f *object.File) (err error) {
		split.file = f
		split.info, err = s.info.OpenSplit(f, unit)
		return err
	}); err != nil {
		return nil, 0, s.file.Errorf("a part of its debugging information: %w", err)
	}
	first, err := split.info.Reader().Next()
	if err != nil {
		return nil, 0, split.file.Errorf("%w", err)
	}
	if first == nil || first.Tag != dwarf.TagCompileUnit {
		return nil, 0, split.file.Errorf("it has no split unit")
	}
	return split, first.Offset, nil
}

// openAlt opens the file with what the searched one shares with other objects. It returns nil if there
// is none.
func (s *dwarfSearch) openAlt() *dwarfSearch {
	name, id, ok := debuginfo.AltLink(s.file)
	if !ok {
		return nil
	}
	alt := &dwarfSearch{names: map[dwarf.Offset]frame{}, searched: s.searched}
	if err := s.open(name, func(f *object.File) (err error) {
		if got := f.BuildID(); got != hex.EncodeToString(id) {
			return f.Errorf("it has the build ID %q instead of %x", got, id)
		}
		alt.file = f
		alt.info, err = s.info.OpenAlt(f)
		return err
	}); err != nil {
		s.addNamedError(s.file.Errorf("debugging information that it shares with other objects: %w", err))
		return nil
	}
	return alt
}

// text returns the string that an attribute has, in this file or in the shared one.
func (s *dwarfSearch) text(e *dwarf.Entry, attribute dwarf.Attr) string {
	field := e.AttrField(attribute)
	if field == nil {
		return ""
	}
	if offset, ok := field.Val.(int64); ok && field.Class == dwarf.ClassStringAlt && s.alt != nil {
		return s.alt.info.AltString(offset)
	}
	text, _ := field.Val.(string)
	return text
}

// reference returns the file and the offset of the entry that an attribute refers to. The file is nil if
// there is no reference, or if that file is missing.
func (s *dwarfSearch) reference(e *dwarf.Entry, attribute dwarf.Attr) (*dwarfSearch, dwarf.Offset) {
	field := e.AttrField(attribute)
	if field == nil {
		return nil, 0
	}
	switch value := field.Val.(type) {
	case dwarf.Offset:
		return s, value
	case int64:
		if field.Class == dwarf.ClassReferenceAlt && value == int64(dwarf.Offset(value)) {
			return s.alt, dwarf.Offset(value)
		}
	}
	return nil, 0
}
