//go:build linux

package symbol

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Bounds on a perf map. That of a Node program of some days has 100 MB, for it gets a line whenever a
// function is compiled again or moved; of a longer one the end counts, which has the latest.
const (
	maxPerfMap     = 256 << 20 // bytes
	maxPerfMapLine = 1 << 10   // bytes; longer names are cut
	maxPerfMapText = 16 << 20  // bytes of names that are kept
)

// perfMapNames finds the functions that cover the sorted addresses in lines of "start size name", hex
// (tools/perf/Documentation/jit-interface.txt). Of several the last one in the file is it: code moves, and memory
// is used again. Lines that are no such are passed over.
func perfMapNames(f *proc.File, addresses []uint64) map[uint64]string {
	if f.Size() <= maxPerfMap {
		return parsePerfMap(io.NewSectionReader(f, 0, f.Size()), addresses)
	}
	// An X before the rest of some line makes it malformed.
	end := io.NewSectionReader(f, f.Size()-maxPerfMap, maxPerfMap)
	return parsePerfMap(io.MultiReader(strings.NewReader("X"), end), addresses)
}

func parsePerfMap(r io.Reader, addresses []uint64) map[uint64]string {
	latest := newLatestRanges(addresses)
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return latest.names() // the last line may be half written
		}
		for err == bufio.ErrBufferFull { // a line of more than 64 KiB is none
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		start, size, name := parsePerfMapLine(line)
		if len(name) > 0 {
			latest.set(start, start+size, name)
		}
	}
}

// parsePerfMapLine gives an empty name for a line that is malformed.
func parsePerfMapLine(line []byte) (start, size uint64, name []byte) {
	first, rest, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	second, name, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	start, err := parseHex(first)
	if err != nil {
		return 0, 0, nil
	}
	size, err = parseHex(second)
	if err != nil || start+size < start {
		return 0, 0, nil
	}
	return start, size, name[:min(len(name), maxPerfMapLine)]
}

// parseHex reads what some runtimes write with 0x before it.
func parseHex(b []byte) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(string(b), "0x"), 16, 64)
}

// latestRanges keeps for each of the sorted addresses the name of the range that was set last among those
// that cover it. It is a segment tree: setting a range takes some 2·log2(n) steps whatever it covers, and
// no more than 2·n names are held.
type latestRanges struct {
	addresses []uint64
	nodes     []namedRange // 1 is the root, len(addresses)+i the leaf of an address
	count     int
	text      int // bytes of all names
}

type namedRange struct {
	order int // of setting, from 1
	name  string
}

func newLatestRanges(addresses []uint64) *latestRanges {
	return &latestRanges{addresses: addresses, nodes: make([]namedRange, 2*len(addresses))}
}

// set names a range, its end not included.
func (l *latestRanges) set(start, end uint64, name []byte) {
	low, high := l.first(start), l.first(end)
	if low >= high {
		return
	}
	l.count++
	named := namedRange{l.count, string(name)}
	put := func(i int) {
		l.text += len(named.name) - len(l.nodes[i].name)
		if l.text > maxPerfMapText {
			l.text -= len(named.name)
			named.name = "" // what it covers is unknown: a name before it would be wrong
		}
		l.nodes[i] = named
	}
	for low, high = low+len(l.addresses), high+len(l.addresses); low < high; low, high = low/2, high/2 {
		if low%2 == 1 {
			put(low)
			low++
		}
		if high%2 == 1 {
			high--
			put(high)
		}
	}
}

// first is the index of the first address that is not below the given one.
func (l *latestRanges) first(address uint64) int {
	i, _ := slices.BinarySearch(l.addresses, address)
	return i
}

func (l *latestRanges) names() map[uint64]string {
	names := map[uint64]string{}
	for i, a := range l.addresses {
		var latest namedRange
		for node := len(l.addresses) + i; node > 0; node /= 2 {
			if l.nodes[node].order > latest.order {
				latest = l.nodes[node]
			}
		}
		if latest.name != "" {
			names[a] = latest.name
		}
	}
	return names
}

// perfMaps names what has no name yet from the lists that the processes wrote of their code. A list is read
// once for all mappings of its process.
func perfMaps(unknown []*profile.Location, list func(*profile.Mapping) *proc.File) map[*profile.Location][]frame {
	byFile := map[*proc.File][]*profile.Location{}
	for _, l := range unknown {
		if l.Mapping == nil {
			continue
		}
		if f := list(l.Mapping); f != nil {
			byFile[f] = append(byFile[f], l)
		}
	}
	found := map[*profile.Location][]frame{}
	for f, locations := range byFile {
		var addresses []uint64
		for _, l := range locations {
			addresses = append(addresses, l.Address)
		}
		slices.Sort(addresses)
		names := perfMapNames(f, slices.Compact(addresses))
		for _, l := range locations {
			if name := names[l.Address]; name != "" {
				found[l] = []frame{{name: name, system: name}}
			}
		}
	}
	return found
}
