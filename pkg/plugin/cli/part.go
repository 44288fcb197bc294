package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// part is the profile of one type, of those that are taken at once.
type part struct {
	request api.Request
	profile *profile.Profile // nil if there is none
	err     error            // why
	slices  received
}

func partsOf(requests []api.Request) []*part {
	var parts []*part
	for _, r := range requests {
		parts = append(parts, &part{request: r})
	}
	return parts
}

// instant tells that the profile is not of a stretch of time.
func (p *part) instant() bool { return instant(p.request) }

func instant(r api.Request) bool {
	t, err := api.TypeOf(r.Type)
	return err == nil && t.Instant && !r.EnableMemProfile
}

// missing is the error when there are types without a profile: nil if there are none.
func missing(parts []*part) error {
	var texts []string
	var first error
	for _, p := range parts {
		if p.err != nil {
			texts = append(texts, fmt.Sprintf("\n  %s: %v", p.request.Type, p.err))
			if first == nil {
				first = p.err
			}
		}
	}
	switch {
	case first == nil:
		return nil
	case len(parts) == 1:
		return first
	case len(texts) == len(parts):
		return fmt.Errorf("no profile was taken:%s", strings.Join(texts, ""))
	}
	return fmt.Errorf("%w:%s", errMissing, strings.Join(texts, ""))
}

// failed is the error if no profile has come at all.
func failed(parts []*part) error {
	if slices.ContainsFunc(parts, func(p *part) bool { return p.profile != nil }) {
		return nil
	}
	return missing(parts)
}

// partialOf is the first reason why one of the profiles is not whole, "" if all are.
func partialOf(parts []*part) string {
	for _, p := range parts {
		if p.profile == nil {
			continue
		}
		if reason := partial(p.profile); reason != "" && len(parts) > 1 {
			return p.request.Type + ": " + reason
		} else if reason != "" {
			return reason
		}
	}
	return ""
}

// leftChanged is what the profiler could not put back in the target, "" if it is as it was.
func leftChanged(parts []*part) string {
	for _, p := range parts {
		if p.profile != nil {
			if left := comment(p.profile, "left changed: "); left != "" {
				return left
			}
		}
	}
	return ""
}

// refused tells that the profiler said itself why there is no profile.
func refused(err error) bool { return errors.As(err, new(*api.Error)) }
