package gopclntab

import (
	"encoding/binary"
	"strings"
	"testing"
)

// wrapperSource has every kind of function that the compiler generates and the runtime's tracebacks
// hide.
const wrapperSource = `package main

type base struct{ n int }

//go:noinline
func (b *base) show(n int) { println(b.n, n) }

type outer struct {
	pad [4]int
	*base
}

type shower interface{ show(n int) }

//go:noinline
func two(a, b int) { println(a, b) }

//go:noinline
func deferred(n int) {
	for i := 0; i < n; i++ {
		defer two(i, n)
	}
}

//go:noinline
func methodValue(s shower) func(int) { return s.show }

func main() {
	n := len(outer{}.pad)
	var s shower = outer{base: &base{n}}
	s.show(n)
	methodValue(s)(n)
	go two(n, n)
	deferred(n)
}
`

func TestWrappers(t *testing.T) {
	for _, toolchain := range []string{"local", "go1.18.10", "go1.20.14", "go1.22.12", "go1.24.13"} {
		if testing.Short() && toolchain != "local" {
			continue
		}
		t.Run(toolchain, func(t *testing.T) {
			wrappers := map[string]bool{}
			table, _ := openFile(t, buildSource(t, wrapperSource, toolchain, "-ldflags=-s -w"))
			for i := range table.functions {
				var pair [4]byte
				if err := table.image.read(pair[:], table.funcs+8*uint64(i)); err != nil {
					t.Fatal(err)
				}
				frames, err := table.Lookup(table.text + uint64(binary.LittleEndian.Uint32(pair[:])))
				if err != nil {
					t.Fatal(err)
				}
				if f := frames[len(frames)-1]; f.Wrapper {
					wrappers[f.Name] = true
				}
			}
			for _, name := range []string{"main.outer.show", "main.shower.show-fm", "runtime.deferreturn"} {
				if !wrappers[name] {
					t.Errorf("%s is not among the wrappers", name)
				}
			}
			for _, name := range []string{"main.main", "main.two", "runtime.gopanic", "runtime.sigpanic", "runtime.systemstack", "runtime.systemstack_switch", "runtime.mcall", "runtime.main"} {
				if wrappers[name] {
					t.Errorf("%s is taken for a wrapper", name)
				}
			}
			made := 0
			for name := range wrappers {
				if strings.HasPrefix(name, "main.") && (strings.Contains(name, "wrap") || strings.Contains(name, "main.func") || strings.Contains(name, "deferred.func")) {
					made++
				}
			}
			if made < 2 {
				t.Errorf("%d wrappers of go and defer statements were found, 2 expected; all of main: %v", made, wrappers)
			}
		})
	}
}
