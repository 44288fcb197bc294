//go:build linux

package symbol

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Limits on a perf map. That of a Node program has 100 MB and 1.5 million lines after a few days,
// because it gets a line whenever a function is compiled again or moved. Of a longer one only the
// end is read, which has the latest lines.
const (
	maxPerfMap      = 256 << 20 // bytes
	maxPerfMapLines = 8 << 20
	maxPerfMapLine  = 1 << 10  // bytes; longer names are cut
	maxPerfMapText  = 16 << 20 // bytes of all names that are kept
)

var errTooManyLines = fmt.Errorf("the perf map has more than %d lines", maxPerfMapLines)

// namePerfMaps names locations by the lists that processes wrote of the code they generated, and
// returns those that are in none. It reads a list once for all mappings of its process.
func (s *symbolizer) namePerfMaps(unknown []*profile.Location, list func(*profile.Mapping) *proc.File) (rest []*profile.Location) {
	byMapping, byFile := map[*profile.Mapping]*proc.File{}, map[*proc.File][]*profile.Location{}
	var files []*proc.File // in the profile's order
	for _, l := range unknown {
		f, ok := byMapping[l.Mapping]
		if !ok && l.Mapping != nil {
			if !s.deadline.exceeded() {
				f = list(l.Mapping)
			} else if isGenerated(l.Mapping) {
				s.latePerfMaps[l.Mapping] = true
			}
			byMapping[l.Mapping] = f
		}
		if f == nil {
			rest = append(rest, l)
			continue
		}
		if byFile[f] == nil {
			files = append(files, f)
		}
		byFile[f] = append(byFile[f], l)
	}
	for _, f := range files {
		var addresses []uint64
		for _, l := range byFile[f] {
			addresses = append(addresses, l.Address)
		}
		slices.Sort(addresses)
		names, err := perfMapNames(f, slices.Compact(addresses), s.deadline)
		if err != nil {
			s.latePerfMaps[byFile[f][0].Mapping] = true
		}
		found := map[*profile.Location][]frame{}
		for _, l := range byFile[f] {
			if name := names[l.Address]; name != "" {
				found[l] = []frame{{name: name}}
			}
		}
		rest = append(rest, s.writeFrames(byFile[f], found)...)
	}
	return rest
}

// perfMapNames returns, by address, the names of the functions that cover the sorted addresses. The
// file has lines of "start size name", with hexadecimal numbers
// (tools/perf/Documentation/jit-interface.txt). If several lines cover an address, the last one
// counts, because code moves and memory is reused. Malformed lines are skipped. If the file cannot
// be read to the end there are no names, because later lines could have replaced them.
func perfMapNames(f *proc.File, addresses []uint64, d *deadline) (map[uint64]string, error) {
	r := timedFile{f, d}
	if f.Size() <= maxPerfMap {
		return parsePerfMap(io.NewSectionReader(r, 0, f.Size()), addresses)
	}
	// The end may begin within a line. The X makes sure that this one is malformed.
	end := io.NewSectionReader(r, f.Size()-maxPerfMap, maxPerfMap)
	return parsePerfMap(io.MultiReader(strings.NewReader("X"), end), addresses)
}

func parsePerfMap(r io.Reader, addresses []uint64) (map[uint64]string, error) {
	latest := newLatestRanges(addresses)
	lines := bufio.NewReaderSize(r, 64<<10)
	for range maxPerfMapLines {
		line, err := lines.ReadSlice('\n')
		for err == bufio.ErrBufferFull { // skip a line of more than 64 KiB
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		if err == io.EOF {
			return latest.names(), nil // the last line may be half written
		}
		if err != nil {
			return nil, err
		}
		start, size, name := parsePerfMapLine(line)
		if len(name) > 0 {
			latest.set(start, start+size, name)
		}
	}
	return nil, errTooManyLines
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
