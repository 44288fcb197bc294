package unwind

// MaxRules is how many distinct rules a RuleSet holds; compilers make hundreds.
const MaxRules = 8192

// RuleSet numbers distinct rules, for many objects have the same. Number 0 is FramePointer, 1 Unknown.
type RuleSet struct {
	numbers map[Rule]uint16
	all     []Rule
}

// NewRuleSet gives a set with the rules that have fixed numbers.
func NewRuleSet() *RuleSet {
	s := &RuleSet{numbers: map[Rule]uint16{}}
	s.number(Rule{})
	s.number(Rule{CFA: Unknown})
	return s
}

// All lists the rules by their numbers.
func (s *RuleSet) All() []Rule { return s.all }

// number gives that of Unknown to a rule for which there is no room.
func (s *RuleSet) number(r Rule) uint16 {
	if n, ok := s.numbers[r]; ok {
		return n
	}
	if len(s.all) == MaxRules {
		return 1
	}
	n := uint16(len(s.all))
	s.numbers[r], s.all = n, append(s.all, r)
	return n
}
