package read

import (
	"errors"
	"fmt"

	"github.com/google/pprof/profile"
)

// Pprof reads a profile in pprof's format, gzipped or not, as profilers and net/http/pprof send it.
func Pprof(data []byte) (*profile.Profile, error) {
	data, err := gunzipped(data)
	if err != nil {
		return nil, err
	}
	return checked(fromProto(data))
}

// fromProto reads profile.proto.
func fromProto(data []byte) (*profile.Profile, error) {
	err := countProto(data)
	switch {
	case errors.Is(err, errCutOff):
		return nil, fmt.Errorf("%w, or it is not a pprof file", errCutOff)
	case err != nil:
		return nil, err
	}
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", errNotPprof, err)
	}
	dropNegativeLines(p)
	return p, nil
}

// dropNegativeLines sets line numbers below 0 to 0, "unknown". Some runtimes mark code without lines in that way (in Java -2 is
// native code), and pictures cannot hold them.
func dropNegativeLines(p *profile.Profile) {
	for _, f := range p.Function {
		f.StartLine = max(f.StartLine, 0)
	}
	for _, l := range p.Location {
		for i := range l.Line {
			l.Line[i].Line = max(l.Line[i].Line, 0)
		}
	}
}
