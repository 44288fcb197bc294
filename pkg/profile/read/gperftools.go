package read

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// words reads the words of a binary CPU profile of gperftools (docs/cpuprofile-fileformat.html in its repository): 4 or 8 bytes
// long, in the byte order of the machine that was profiled.
type words struct {
	order binary.ByteOrder
	size  int
}

// next returns the first word and what follows it. It reports whether there is a word.
func (w words) next(data []byte) (word uint64, rest []byte, ok bool) {
	switch {
	case len(data) < w.size:
		return 0, nil, false
	case w.size == 4:
		return uint64(w.order.Uint32(data)), data[4:], true
	default:
		return w.order.Uint64(data), data[8:], true
	}
}

// gperftoolsHeader is the number of words in the header: 0, 3, the version, the period in µs, and 0.
const gperftoolsHeader = 5

// gperftoolsWords returns the form of the words if data begins with a header. Version 0 is for native programs, 1 for Java.
func gperftoolsWords(data []byte) (w words, version uint64, ok bool) {
	for _, w := range []words{{binary.LittleEndian, 4}, {binary.BigEndian, 4}, {binary.LittleEndian, 8}, {binary.BigEndian, 8}} {
		var header [gperftoolsHeader]uint64
		rest := data
		for i := range header {
			header[i], rest, ok = w.next(rest)
		}
		if ok && header[0] == 0 && header[1] == 3 && header[2] <= 1 && header[3] > 0 && header[4] == 0 {
			return w, header[2], true
		}
	}
	return words{}, 0, false
}

func isGperftools(data []byte) bool {
	_, _, ok := gperftoolsWords(data)
	return ok
}

// fromGperftools reads a binary CPU profile. The library reads it; the elements are counted before.
func fromGperftools(data []byte) (*profile.Profile, error) {
	if len(data) > maxLegacy {
		return nil, errLargeLegacy
	}
	w, version, _ := gperftoolsWords(data)
	text, addresses, err := w.countStacks(data[gperftoolsHeader*w.size:])
	if err != nil {
		return nil, err
	}
	if version == 1 { // each line is an address with a function
		var b limits.Budget
		if b.Functions(bytes.Count(text, []byte("0x"))); b.Err() != nil {
			return nil, b.Err()
		}
	} else if err := checkMemoryMap(text, addresses); err != nil {
		return nil, err
	}
	p, err := parseLegacy(data)
	if err != nil {
		return nil, fmt.Errorf("this CPU profile of gperftools is damaged: %w", err)
	}
	dropNegativeLines(p)
	return p, nil
}

// countStacks counts the elements of the stacks. It returns the text after them and the number of different addresses. A stack
// is the number of its samples, the number of its addresses, and these; the last one is 0, 1, 0.
func (w words) countStacks(data []byte) (text []byte, addresses int, err error) {
	var b limits.Budget
	seen := map[uint64]struct{}{}
	for {
		count, rest, ok := w.next(data)
		depth, rest, ok2 := w.next(rest)
		if !ok || !ok2 || depth > uint64(len(rest)/w.size) {
			return nil, 0, fmt.Errorf("%w: this CPU profile of gperftools has no end", errCutOff)
		}
		if err := limits.CheckDepth(int(depth)); err != nil {
			return nil, 0, err
		}
		b.Samples(1)
		b.Numbers(2 + int(depth))
		var address uint64
		for range depth {
			address, rest, _ = w.next(rest)
			if _, known := seen[address]; !known {
				seen[address] = struct{}{}
				b.Locations(2) // the library takes 1 from the addresses of callers
			}
			if err := b.Err(); err != nil {
				return nil, 0, err
			}
		}
		if count == 0 && depth == 1 && address == 0 {
			return rest, 2 * len(seen), nil
		}
		data = rest
	}
}
