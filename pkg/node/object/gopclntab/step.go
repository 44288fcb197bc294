package gopclntab

// Step is what a traceback has to know of the function at an address: runtime/traceback.go, resolveInternal.
type Step struct {
	Name  string
	Entry uint64 // address of the function's first instruction
	// Delta is how far the stack pointer is below its place at the function's entry, in bytes.
	Delta int32
	// Known is false for code of C and the like, which the linker put in without such a table.
	Known bool
	Top   bool // a stack ends here
	// MovesStack tells of functions that set the stack pointer to another stack, which Delta says nothing of.
	MovesStack bool
}

// Step looks up the function at an address of the file's own numbering; io.EOF if it is in none.
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
