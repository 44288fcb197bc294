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

// Limits on a perf map. That of a Node program has 100 MB after a few days, because it gets a line
// whenever a function is compiled again or moved. Of a longer one only the end is read, which has
// the latest lines.
const (
	maxPerfMap     = 256 << 20 // bytes
	maxPerfMapLine = 1 << 10   // bytes; longer names are cut
	maxPerfMapText = 16 << 20  // bytes of all names that are kept
)

// perfMapFrames finds locations without names in the lists that processes wrote of the code they
// generated. It reads a list once for all mappings of its process.
func perfMapFrames(unknown []*profile.Location, list func(*profile.Mapping) *proc.File) map[*profile.Location][]frame {
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

// perfMapNames returns, by address, the names of the functions that cover the sorted addresses. The
// file has lines of "start size name", with hexadecimal numbers
// (tools/perf/Documentation/jit-interface.txt). If several lines cover an address, the last one
// counts, because code moves and memory is reused. Malformed lines are skipped.
func perfMapNames(f *proc.File, addresses []uint64) map[uint64]string {
	if f.Size() <= maxPerfMap {
		return parsePerfMap(io.NewSectionReader(f, 0, f.Size()), addresses)
	}
	// The end may begin within a line. The X makes sure that this one is malformed.
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
		for err == bufio.ErrBufferFull { // skip a line of more than 64 KiB
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		start, size, name := parsePerfMapLine(line)
		if len(name) > 0 {
			latest.set(start, start+size, name)
		}
	}
}

// parsePerfMapLine returns an empty name for a malformed line.
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

// parseHex parses a hexadecimal number. Some runtimes write 0x before it.
func parseHex(b []byte) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(string(b), "0x"), 16, 64)
}

// latestRanges has, for each of n sorted addresses, the name of the last range that was set among
// those that cover it. It is a segment tree: setting a range takes about 2·log2(n) steps, however
// much it covers, and at most 2·n names are kept.
type latestRanges struct {
	addresses []uint64
	nodes     []namedRange // node 1 is the root, node n+i the leaf of address i
	count     int          // ranges set
	text      int          // bytes of all names
}

type namedRange struct {
	order int // 1 for the range that was set first
	name  string
}

func newLatestRanges(addresses []uint64) *latestRanges {
	return &latestRanges{addresses: addresses, nodes: make([]namedRange, 2*len(addresses))}
}

// set names the range from start up to, but not including, end.
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
			named.name = "" // an older name would be wrong
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

// first returns the index of the first address that is not below the given one.
func (l *latestRanges) first(address uint64) int {
	i, _ := slices.BinarySearch(l.addresses, address)
	return i
}

// names returns the names by address.
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
