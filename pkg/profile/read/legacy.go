package read

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Limits on the older formats, which the library parses without limits of its own. Go's text form of 10,000 stacks (?debug=1)
// has about 10 MB. The library searches the mappings for each address.
const (
	maxLegacy         = 32 << 20 // bytes
	maxLegacySearches = 1 << 30
	maxAttributes     = 100
	maxExpanded       = 64 << 20 // bytes of the memory map with the values of attributes
)

var (
	errLargeLegacy = fmt.Errorf("files in the older forms of pprof are read up to %d MiB: write it again with go tool pprof -proto", maxLegacy>>20)
	errAttributes  = errors.New("its memory map uses too many attributes ($NAME), or some that contain others: write it again with go tool pprof -proto")
)

// legacyHeader matches the first lines of the text formats that pprof had before profile.proto (legacy_profile.go in
// github.com/google/pprof). net/http/pprof writes some of them with ?debug=1.
var legacyHeader = regexp.MustCompile(`^(heap profile: |--- (mutex|contention):|--- (contentionz|threadz|heapz) \d|--- Thread [[:xdigit:]]+ )`)

func isLegacyText(data []byte) bool {
	line, text := firstLine(data)
	return text && legacyHeader.Match(line[:min(len(line), maxQuotedLine)])
}

// fromLegacyText reads the text formats that pprof had before profile.proto.
func fromLegacyText(data []byte) (*profile.Profile, error) {
	if len(data) > maxLegacy {
		return nil, errLargeLegacy
	}
	if err := checkMemoryMap(data, bytes.Count(data, []byte("0x"))); err != nil {
		return nil, err
	}
	p, err := parseLegacy(data)
	if err != nil {
		return nil, fmt.Errorf("this file begins like an older text form of pprof, but cannot be read: %w", err)
	}
	if err := nameAddresses(p, data); err != nil {
		return nil, err
	}
	dropNegativeLines(p)
	noteIncomplete(p, data)
	return p, nil
}

// parseLegacy parses an older format, which the caller has counted: the library has no limits. The library first decodes the data
// as profile.proto, as far as that succeeds, so they are counted as such too.
func parseLegacy(data []byte) (*profile.Profile, error) {
	if err := countProto(data); err != nil && !errors.Is(err, errCutOff) && !errors.Is(err, errNotPprof) {
		return nil, err
	}
	return profile.ParseData(data)
}

// checkMemoryMap returns an error if the text after the stacks would cost too much with the given number of addresses.
func checkMemoryMap(text []byte, addresses int) error {
	mappings := 0
	for _, head := range []string{"--- Memory map: ---", "MAPPED_LIBRARIES:"} { // memoryMapSentinels in legacy_profile.go
		if _, rest, ok := bytes.Cut(text, []byte(head)); ok {
			mappings = max(mappings, bytes.Count(rest, []byte("\n")))
			if err := checkAttributes(rest); err != nil {
				return err
			}
		}
	}
	if addresses > limits.MaxElements || addresses*mappings > maxLegacySearches {
		return fmt.Errorf("the profile has too many addresses (%d) and mappings (%d): write it again with go tool pprof -proto", addresses, mappings)
	}
	return nil
}

// checkAttributes returns an error if the attributes of a memory map ("build=/usr/lib", later "$build/libc.so") would expand to much
// more: if they contain one another, few bytes become gigabytes. The library replaces each $NAME at most once.
func checkAttributes(lines []byte) error {
	attributes, longest, uses := 0, 0, bytes.Count(lines, []byte("$"))
	if uses == 0 {
		return nil
	}
	for line := range bytes.Lines(lines) {
		if !bytes.Contains(line, []byte("=")) {
			continue
		}
		if bytes.Contains(line, []byte("$")) || bytes.Count(line, []byte("=")) > 1 {
			return errAttributes // its value could define others
		}
		attributes++
		longest = max(longest, len(line))
	}
	if attributes > maxAttributes || uses*longest > maxExpanded {
		return errAttributes
	}
	return nil
}
