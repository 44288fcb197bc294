package unwind

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/ehframe"
)

// Call frame instructions (DWARF 5, table 7.29) and operations of expressions (table 7.9).
const (
	cfaAdvanceLoc       = 0x40
	cfaOffset           = 0x80
	cfaRestore          = 0xc0
	cfaAdvanceLoc1      = 0x02
	cfaAdvanceLoc2      = 0x03
	cfaUndefined        = 0x07
	cfaRegister         = 0x09
	cfaRememberState    = 0x0a
	cfaRestoreState     = 0x0b
	cfaDefCFA           = 0x0c
	cfaDefCFARegister   = 0x0d
	cfaDefCFAOffset     = 0x0e
	cfaDefCFAExpression = 0x0f
	cfaExpression       = 0x10
	cfaNegateRAState    = 0x2d
	cfaGNUArgsSize      = 0x2e

	opDeref      = 0x06
	opPlusUconst = 0x23
)

// tableOf returns the table of a section .eh_frame that is loaded at an address.
func tableOf(data []byte, address uint64, a *arch, rules *RuleSet) *Table {
	t, err := newTable(&object.File{}, ehframe.Parse(data, address, a.Registers), nil, rules)
	if err != nil {
		panic(err)
	}
	return t
}

// rowsOf returns the rows of a table, and the error that came last.
func rowsOf(t *Table) (rows []Row, _ error) {
	for r, err := range t.Rows() {
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// section returns an .eh_frame for address 0, with one CIE as gcc writes it for amd64, and one FDE
// for the addresses 0x1000 to 0x1100.
func section(augmentation string, instructions ...byte) []byte {
	body := append([]byte{0, 0, 0, 0, 1}, augmentation...) // the mark of a CIE, and its version
	body = append(body, 0, 1, 0x78, 16, 1, 0x00)           // alignments 1 and -8, return address 16, absolute addresses
	body = append(body, cfaDefCFA, 7, 8, cfaOffset|16, 1)
	data := entry(nil, body)
	fde := binary.LittleEndian.AppendUint32(nil, uint32(len(data)+4))
	fde = binary.LittleEndian.AppendUint64(fde, 0x1000)
	fde = binary.LittleEndian.AppendUint64(fde, 0x100)
	fde = append(append(fde, 0), instructions...)
	return entry(data, fde)
}

func entry(data, body []byte) []byte {
	data = binary.LittleEndian.AppendUint32(data, uint32(len(body)))
	return append(data, body...)
}

func TestInstructions(t *testing.T) {
	sp := func(offset int32) Rule {
		return Rule{CFA: Register, Reg: 7, Offset: offset, RA: AtCFA, RAOffset: -8}
	}
	saved := sp(16)
	saved.FP, saved.FPOffset = AtCFA, -16
	framed := saved
	framed.Reg = 6
	aligned := Rule{CFA: Dereference, Reg: 6, Offset: -8, RA: AtCFA, RAOffset: -8, FP: AtFP}
	inRegister := sp(0)
	inRegister.RA, inRegister.RAOffset = InRegister, 5
	type row struct {
		address uint64
		rule    Rule
	}
	cases := []struct {
		name         string
		augmentation string
		instructions []byte
		want         []row // without the one at the end
	}{
		{"no instructions", "zR", nil, []row{{0x1000, sp(8)}}},
		{"frame pointer", "zR", []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 16, cfaOffset | 6, 2, cfaAdvanceLoc1, 3, cfaDefCFARegister, 6},
			[]row{{0x1000, sp(8)}, {0x1001, saved}, {0x1004, framed}}},
		{"remembered state", "zR", []byte{cfaRememberState, cfaAdvanceLoc | 4, cfaDefCFAOffset, 64, cfaAdvanceLoc | 4, cfaRestoreState},
			[]row{{0x1000, sp(8)}, {0x1004, sp(64)}, {0x1008, sp(8)}}},
		{"restored register", "zR", []byte{cfaDefCFAOffset, 16, cfaOffset | 6, 2, cfaAdvanceLoc | 2, cfaRestore | 6},
			[]row{{0x1000, saved}, {0x1002, sp(16)}}},
		{"other registers are ignored", "zR", []byte{cfaAdvanceLoc | 1, cfaOffset | 3, 4}, []row{{0x1000, sp(8)}}},
		{"the thread's first function", "zR", []byte{cfaUndefined, 16}, []row{{0x1000, Rule{CFA: Root}}}},
		{"aligned stack", "zR", []byte{cfaDefCFAExpression, 3, 0x76, 0x78, opDeref, cfaExpression, 6, 2, 0x76, 0}, []row{{0x1000, aligned}}},
		{"PLT", "zR", []byte{cfaDefCFAExpression, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22},
			[]row{{0x1000, Rule{CFA: PLT, Add: 11, RA: AtCFA, RAOffset: -8}}}},
		{"stack pointer kept on the stack", "zR", []byte{cfaDefCFAExpression, 6, 0x77, 0x88, 0x01, opDeref, opPlusUconst, 8},
			[]row{{0x1000, Rule{CFA: Dereference, Reg: 7, Offset: 136, Add: 8, RA: AtCFA, RAOffset: -8}}}},
		{"return address in a register, as in vfork", "zR", []byte{cfaDefCFAOffset, 0, cfaRegister, 16, 5}, []row{{0x1000, inRegister}}},
		{"signal trampoline", "zRS", []byte{cfaDefCFAExpression, 1, opDeref}, []row{{0x1000, Rule{CFA: Signal}}}},
		{"ignored instructions", "zR", []byte{cfaGNUArgsSize, 16, cfaNegateRAState}, []row{{0x1000, sp(8)}}},
		{"unsupported expression", "zR", []byte{cfaDefCFAExpression, 2, 0x30, 0x31}, []row{{0x1000, Rule{CFA: Unknown}}}},
		{"unknown instruction", "zR", []byte{cfaAdvanceLoc | 1, 0x3c}, []row{{0x1000, Rule{CFA: Unknown}}}},
		{"restore without remembered state", "zR", []byte{cfaRestoreState}, []row{{0x1000, Rule{CFA: Unknown}}}},
		{"missing operand", "zR", []byte{cfaDefCFAOffset}, []row{{0x1000, Rule{CFA: Unknown}}}},
		{"row beyond the function", "zR", []byte{cfaAdvanceLoc2, 0, 2, cfaDefCFAOffset, 16}, []row{{0x1000, sp(8)}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rules := NewRuleSet()
			table := tableOf(section(c.augmentation, c.instructions...), 0, amd64, rules)
			rows, err := rowsOf(table)
			if err != nil {
				t.Fatal(err)
			}
			var got []row
			for _, r := range rows {
				got = append(got, row{table.Base + uint64(r.Address), rules.All()[r.Rule]})
			}
			if want := append(c.want, row{0x1100, Rule{}}); !slices.Equal(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

// A section that is cut anywhere has no partial function.
func TestTruncatedSection(t *testing.T) {
	data := section("zR", cfaAdvanceLoc|1, cfaDefCFAOffset, 16)
	for n := range data {
		if table := tableOf(data[:n], 0, amd64, NewRuleSet()); len(table.functions) != 0 {
			t.Errorf("%d of %d bytes have %d functions", n, len(data), len(table.functions))
		}
	}
}

func TestRowsAreLimited(t *testing.T) {
	var all []described
	for i := range uint64(3) {
		start := i << 30
		all = append(all, described{start, start + 1<<30, func(emit func(uint64, Rule)) {
			for n := range uint64(maxRows) {
				emit(start+n, Rule{CFA: Register, Offset: int32(n % 2)})
			}
		}})
	}
	table, err := newTable(&object.File{}, ehframe.Parse(nil, 0, amd64.Registers), all, NewRuleSet())
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := rowsOf(table); err == nil || !strings.Contains(err.Error(), "rows") || len(rows) > maxRows {
		t.Errorf("got %d rows and %v, want at most %d and too many rows", len(rows), err, maxRows)
	}
}

// When the set is full, new rules become Unknown and the others remain.
func TestRulesAreLimited(t *testing.T) {
	s := NewRuleSet()
	for i := range int32(2 * maxRules) {
		s.findOrAdd(Rule{CFA: Register, Offset: i})
	}
	if n := len(s.All()); n != maxRules {
		t.Errorf("%d rules, the limit is %d", n, maxRules)
	}
	if n := s.findOrAdd(Rule{CFA: Register, Offset: 2 * maxRules}); s.All()[n].CFA != Unknown {
		t.Errorf("a rule without room became %+v", s.All()[n])
	}
	if n := s.findOrAdd(Rule{CFA: Register, Offset: 5}); s.All()[n].Offset != 5 {
		t.Errorf("a known rule became %+v", s.All()[n])
	}
}
