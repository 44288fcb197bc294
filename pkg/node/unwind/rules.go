package unwind

// Rule describes how to find a frame's caller. Offsets are in bytes.
type Rule struct {
	CFA                Kind
	Reg                uint8 // DWARF's number of a register
	RA, FP             Saved // where the return address and the caller's frame pointer are
	Offset, Add        int32
	RAOffset, FPOffset int32
}

// Kind is how to compute a frame's CFA, the canonical frame address: the stack pointer before the
// call (DWARF 5, 6.4).
type Kind uint8

// The values are those of enum cfa_kind in pkg/node/capture/bpf/tables.h.
const (
	FramePointer  Kind = iota // not described; most code keeps frame pointers
	Register                  // Reg + Offset
	Dereference               // the word at Reg + Offset, + Add
	PLT                       // sp + 8, and 8 more from byte Add of a 16-byte PLT stub on
	Signal                    // the kernel's signal frame is at the stack pointer
	Root                      // a thread begins here
	GoCgocall                 // runtime.asmcgocall; the goroutine's stack pointer is saved at sp + Offset
	GoSystemstack             // runtime.systemstack; the goroutine's stack pointer is saved in g.sched
	GoMorestack               // runtime.morestack; likewise
	Unknown                   // described in a way that is not supported
)

// Saved is where the return address or the caller's frame pointer is.
type Saved uint8

// The values are those of enum saved_kind in pkg/node/capture/bpf/tables.h.
const (
	Same       Saved = iota // not saved
	AtCFA                   // in the word at CFA + offset
	AtFP                    // in the word at the frame pointer + offset
	InRegister              // in the register whose DWARF number is the offset
)

// maxRules is the limit on the distinct rules of a RuleSet. Compilers make hundreds.
const maxRules = 8192

// RuleSet numbers distinct rules, because many objects have the same. Number 0 is FramePointer,
// number 1 Unknown.
type RuleSet struct {
	numbers map[Rule]uint16
	all     []Rule
}

// NewRuleSet returns a set with the rules that have fixed numbers.
func NewRuleSet() *RuleSet {
	s := &RuleSet{numbers: map[Rule]uint16{}}
	s.findOrAdd(Rule{})
	s.findOrAdd(Rule{CFA: Unknown})
	return s
}

// All returns the rules by their numbers.
func (s *RuleSet) All() []Rule { return s.all }

// findOrAdd returns the number of a rule, or that of Unknown for a new rule when the set is full.
func (s *RuleSet) findOrAdd(r Rule) uint16 {
	if n, ok := s.numbers[r]; ok {
		return n
	}
	if len(s.all) == maxRules {
		return 1
	}
	n := uint16(len(s.all))
	s.numbers[r], s.all = n, append(s.all, r)
	return n
}
