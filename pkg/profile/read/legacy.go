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
)

var (
	errLargeLegacy = fmt.Errorf("files in the older forms of pprof are read up to %d MiB: write it again with go tool pprof -proto", maxLegacy>>20)
	errAttributes  = errors.New("its memory map uses attributes ($NAME), which are not supported: write it again with go tool pprof -proto")
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
			// Attributes ("build=/usr/lib", later "$build/libc.so") may contain one another, so that few bytes expand to
			// gigabytes.
			if bytes.ContainsRune(rest, '$') {
				return errAttributes
			}
		}
	}
	if addresses > limits.MaxElements || addresses*mappings > maxLegacySearches {
		return fmt.Errorf("the profile has too many addresses (%d) and mappings (%d): write it again with go tool pprof -proto", addresses, mappings)
	}
	return nil
}
