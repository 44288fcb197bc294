package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// defaultDuration is that of --duration. Commands without the flag check their requests with it.
const defaultDuration = 30 * time.Second

// requestFlags say which profiles are taken.
type requestFlags struct {
	types  []string
	common api.Request // what the requests for several types have in common
}

func newRequestFlags(types ...string) requestFlags {
	return requestFlags{types: types, common: api.Request{Frequency: api.DefaultFrequency, MemProfileRate: api.DefaultMemProfileRate}}
}

func (r *requestFlags) addType(f *pflag.FlagSet) {
	f.StringSliceVar(&r.types, "type", r.types, "`types` of profile, taken at once: "+strings.Join(api.TypeNames(), ", ")+"; memory is heap")
}

// addSampling adds the flags for what is sampled, and how often.
func (r *requestFlags) addSampling(f *pflag.FlagSet) {
	f.IntVar(&r.common.Frequency, "frequency", r.common.Frequency, fmt.Sprintf("samples per second and CPU, 1 to %d", requirements.MaxFrequency))
	f.IntSliceVar(&r.common.PIDs, "pid", nil, "profile only these `processes`, numbered as inside the container")
	f.StringVar(&r.common.By, "by", "", "`level` to add below the process: "+api.ByThread+", for goroutine "+api.ByGoroutine)
}

// addMemProfile adds the flags for the memory profile of Go programs, which stays on for a time described by duration.
func (r *requestFlags) addMemProfile(f *pflag.FlagSet, duration string) {
	f.BoolVar(&r.common.EnableMemProfile, "enable-memprofile", false, "turn the memory profile of Go programs on that have none, "+duration+": writes runtime.MemProfileRate in their memory, and the old value back")
	f.IntVar(&r.common.MemProfileRate, "memprofile-rate", r.common.MemProfileRate, "what --enable-memprofile writes: `bytes` allocated between two samples")
}

func (r *requestFlags) addDetail(f *pflag.FlagSet) {
	f.BoolVar(&r.common.Freeze, "freeze", false, "stop the container's threads for the milliseconds in which goroutines are read")
	f.BoolVar(&r.common.NoTimes, "no-times", false, "leave out when samples were taken: a smaller profile, without --from, --to and the strip of time")
}

// requests returns a request for each type. set reports whether a flag was given; traceback asks for single goroutines.
func (r *requestFlags) requests(duration time.Duration, set func(flag string) bool, traceback bool) ([]api.Request, error) {
	types, err := api.ParseTypes(r.types)
	if err != nil {
		return nil, flagError(err)
	}
	common := r.common
	common.Duration = duration
	if err := common.Validate(types); err != nil {
		return nil, flagError(err)
	}
	if set("memprofile-rate") && !common.EnableMemProfile {
		return nil, fmt.Errorf("--memprofile-rate is for --enable-memprofile")
	}
	for _, flag := range []struct {
		name  string
		takes func(api.ProfileType) bool
	}{
		{"frequency", func(t api.ProfileType) bool { return t.Frequency }},
		{"no-times", func(t api.ProfileType) bool { return t.Times }},
	} {
		if set(flag.name) && !slices.ContainsFunc(types, flag.takes) {
			return nil, fmt.Errorf("--%s is for other types than --type %s", flag.name, strings.Join(r.types, ","))
		}
	}
	var requests []api.Request
	for _, t := range types {
		request := t.Request(common)
		if traceback && request.By == "" && t == api.Goroutine {
			request.By = api.ByGoroutine
		}
		requests = append(requests, request)
	}
	return requests, nil
}

// flagError words the error of a request's parameter for its flag, which has the same name.
func flagError(err error) error {
	if parameter := new(api.ParameterError); errors.As(err, &parameter) {
		return fmt.Errorf("--%w", parameter)
	}
	return err
}
