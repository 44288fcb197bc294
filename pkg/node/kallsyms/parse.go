//go:build linux

package kallsyms

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

// parse finds the functions of the sorted addresses in lines of "address type name
// [module]". The kernel's own symbols come first and are sorted by address; those of modules and BPF programs
// are not. There are about 200,000 lines, of which only what was sampled is kept. Generating them takes the
// kernel 0.1 s, so reading ends after the last address if none is below the kernel's own functions.
func parse(r io.Reader, addresses []uint64) (map[uint64]Symbol, error) {
	type candidate struct {
		start uint64
		line  string
	}
	best := make([]candidate, len(addresses))
	lines := bufio.NewScanner(r)
	first, sorted := uint64(0), true // the first function's address, and whether all before this line are sorted
	last := uint64(0)
	for lines.Scan() {
		line := lines.Bytes()
		end := bytes.IndexByte(line, ' ')
		if end < 0 || len(line) < end+4 {
			continue
		}
		switch line[end+1] {
		case 't', 'T', 'w', 'W':
		default:
			continue
		}
		if line[end+3] == '$' {
			continue // marks where code begins in arm64's modules, as a rule at the address of a function
		}
		start, err := strconv.ParseUint(string(line[:end]), 16, 64)
		if err != nil || start == 0 {
			continue
		}
		first = cmp.Or(first, start)
		sorted = sorted && start >= last && bytes.IndexByte(line, '\t') < 0 // else of a module
		last = start
		if sorted && len(addresses) > 0 && addresses[0] >= first && addresses[len(addresses)-1] < start {
			break
		}
		// The first address at or after the symbol. Later addresses inherit it below.
		if i, _ := slices.BinarySearch(addresses, start); i < len(addresses) && best[i].start < start {
			best[i] = candidate{start, string(line[end+3:])}
		}
	}
	for i := 1; i < len(best); i++ {
		if best[i].start < best[i-1].start {
			best[i] = best[i-1]
		}
	}
	found := map[uint64]Symbol{}
	for i, c := range best {
		if c.start != 0 {
			name, module, _ := strings.Cut(c.line, "\t")
			found[addresses[i]] = Symbol{name, strings.Trim(module, "[]")}
		}
	}
	return found, lines.Err()
}
