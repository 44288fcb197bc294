package unwind

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object/objecttest"
	"github.com/kubectl-pprof/kubectl-pprof/test/gcc"
)

// The unwind table is the same without section headers: .eh_frame is found by its program header.
func TestTableWithoutSectionHeaders(t *testing.T) {
	const source = `
		#include <cstdio>
		struct owner { ~owner() { puts("freed"); } };
		int called(int n) { owner o; if (n > 3) throw n; return n + printf("%d", n); }
		int main(int n, char **) { try { return called(n); } catch (int n) { return n; } }`
	for name, flags := range map[string][]string{
		"program": {"-O2"}, "library": {"-O2", "-shared", "-fPIC"}, "static": {"-O2", "-static"},
		"without .eh_frame_hdr": {"-O2", "-Wl,--no-eh-frame-hdr"},
	} {
		t.Run(name, func(t *testing.T) {
			data := gcc.Compile(t, gcc.CXX, source, flags...)
			wholeBase, whole := compiled(t, data)
			cutBase, cut := compiled(t, objecttest.RemoveSections(data))
			if len(whole) < 10 {
				t.Errorf("the table has %d rows", len(whole))
			}
			if cutBase != wholeBase || !cmp.Equal(whole, cut) {
				t.Errorf("from %#x on %d rows without section headers, %d from %#x on with them", cutBase, len(cut), len(whole), wholeBase)
			}
		})
	}
}

// compiled returns the base and the rows of an object's table.
func compiled(t *testing.T, data []byte) (uint64, []Row) {
	t.Helper()
	f, err := object.Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	table, err := Compile(f, NewRuleSet())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := rowsOf(table)
	if err != nil {
		t.Fatal(err)
	}
	return table.Base, rows
}
