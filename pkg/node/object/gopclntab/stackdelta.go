package gopclntab

import "io"

// Step has what a traceback needs of the function at an address (runtime/traceback.go,
// resolveInternal).
type Step struct {
	Name  string
	Entry uint64 // address of the function's first instruction
	// Delta is the distance of the stack pointer below its value at the function's entry, in bytes.
	Delta int32
	// Known is whether Delta is known. It is not for C code, which has no such table.
	Known bool
	Top   bool // stacks end here
	// MovesStack is set for functions that switch to another stack, which Delta does not reflect.
	MovesStack bool
}

// Step returns the step from an address of the object's own numbering, or io.EOF if that is in no
// function.
func (t *Table) Step(pc uint64) (Step, error) {
	f, err := t.find(pc)
	if err != nil {
		return Step{}, err
	}
	s := Step{Entry: f.entry, Known: f.pcsp != 0, Top: f.flag&flagTopFrame != 0, MovesStack: f.flag&flagSPWrite != 0}
	if s.Name, err = t.image.text(t.names + uint64(f.name)); err != nil {
		return Step{}, err
	}
	if s.Known {
		if s.Delta, err = t.pcvalue(f.pcsp, f, pc); err != nil {
			return Step{}, err
		}
	}
	s.Known = s.Known && s.Delta >= 0
	return s, nil
}

// StackDelta returns the distance of the stack pointer at an address below its value at the
// function's entry, in bytes. It returns io.EOF if that is not known.
func (t *Table) StackDelta(pc uint64) (int32, error) {
	f, err := t.find(pc)
	if err != nil {
		return 0, err
	}
	delta, err := t.pcvalue(f.pcsp, f, pc)
	if err == nil && delta < 0 {
		err = io.EOF
	}
	return delta, err
}
