package unwind

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/test/fuzzbudget"
)

// FuzzFrames checks that rows are sorted, whatever .eh_frame contains.
func FuzzFrames(f *testing.F) {
	f.Add(section("zR", cfaAdvanceLoc|1, cfaDefCFAOffset, 16))
	f.Add(section("zPLR", cfaDefCFAExpression, 3, 0x76, 0x78, opDeref))
	f.Add(section("zRS"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		for _, a := range []*arch{amd64, arm64} {
			rows, err := rowsOf(tableOf(data, 0x2000, a, NewRuleSet()))
			if err != nil {
				continue
			}
			for i := 1; i < len(rows); i++ {
				if rows[i].Address <= rows[i-1].Address {
					t.Fatalf("row %d at %#x is not after the one at %#x", i, rows[i].Address, rows[i-1].Address)
				}
			}
		}
	})
}

// FuzzObject compiles whole objects, with a real one as the seed.
func FuzzObject(f *testing.F) {
	if data, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzbudget.Enforce(t)
		o, err := object.Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		if table, err := Compile(o, NewRuleSet()); err == nil {
			_, _ = rowsOf(table)
		}
	})
}

// BenchmarkCompile compiles the tables of a C library and, if it is installed, of libLLVM, which
// has the most rows of all known objects.
func BenchmarkCompile(b *testing.B) {
	large, _ := filepath.Glob("/usr/lib/llvm-*/lib/libLLVM*.so.*")
	for _, path := range append([]string{"/lib/x86_64-linux-gnu/libc.so.6"}, large[:min(1, len(large))]...) {
		file, err := os.Open(path)
		if err != nil {
			b.Logf("left out: %v", err)
			continue
		}
		defer file.Close()
		o, err := object.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(path), func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				t, err := Compile(o, NewRuleSet())
				if err != nil {
					b.Fatal(err)
				}
				rows = 0
				for _, err := range t.Rows() {
					if err != nil {
						b.Fatal(err)
					}
					rows++
				}
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
