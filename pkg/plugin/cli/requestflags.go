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

// requestFlags choose the profiles that are taken.
type requestFlags struct {
	types  []string
	common api.Request // what the requests for several types have in common
}

func newRequestFlags(types ...string) requestFlags {
	return requestFlags{types: types, common: api.Request{Frequency: api.DefaultFrequency, MemProfileRate: api.DefaultMemProfileRate}}
}

// addType adds --type. use describes what the command does with the types.
func (r *requestFlags) addType(f *pflag.FlagSet, use string) {
	f.StringSliceVar(&r.types, "type", r.types, "`types` of profile "+use+": "+strings.Join(api.TypeNames(), ", ")+"; memory means heap")
}

// addSampling adds the flags for what is sampled and how often.
func (r *requestFlags) addSampling(f *pflag.FlagSet) {
	f.IntVar(&r.common.Frequency, "frequency", r.common.Frequency, fmt.Sprintf("samples per second and CPU, 1 to %d", requirements.MaxFrequency))
	f.IntSliceVar(&r.common.PIDs, "pid", nil, "profile only these `processes`, by their IDs inside the container")
	f.StringVar(&r.common.By, "by", "", "`level` to separate samples by, below the process: "+api.ByThread+", or "+api.ByGoroutine+" for the type of that name")
}

// addMemProfile adds the flags that turn on the memory profile of Go programs. period describes for how
// long.
func (r *requestFlags) addMemProfile(f *pflag.FlagSet, period string) {
	f.BoolVar(&r.common.EnableMemProfile, "enable-memprofile", false, "turn on the memory profile of Go programs that have it off, "+period+": writes runtime.MemProfileRate in their memory, and restores it")
	f.IntVar(&r.common.MemProfileRate, "memprofile-rate", r.common.MemProfileRate, "`bytes` allocated per sample with --enable-memprofile")
}

func (r *requestFlags) addDetail(f *pflag.FlagSet) {
	f.BoolVar(&r.common.Freeze, "freeze", false, "stop the container's threads for the milliseconds in which goroutines are read")
	f.BoolVar(&r.common.UnsafeKernel, "unsafe-kernel", false, "use BPF even on a kernel that it may freeze (Linux 5.18 to 6.3 without a later fix)")
	f.BoolVar(&r.common.NoTimes, "no-times", false, "leave out the times of samples: the file is smaller, but has no timeline and cannot be cut with --from and --to")
}

// requests returns a request for each type. set reports whether a flag was given; traceback
// requests each goroutine by itself.
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
		return nil, fmt.Errorf("--memprofile-rate needs --enable-memprofile")
	}
	for _, flag := range []struct {
		name  string
		takes func(api.ProfileType) bool
	}{
		{"frequency", func(t api.ProfileType) bool { return t.Frequency }},
		{"no-times", func(t api.ProfileType) bool { return t.Times }},
	} {
		if set(flag.name) && !slices.ContainsFunc(types, flag.takes) {
			return nil, fmt.Errorf("--%s has no effect on --type %s", flag.name, strings.Join(r.types, ","))
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

// parameterFlags holds the flags of the parameters of a request that have other names than these.
var parameterFlags = map[string]string{"memory profile": "enable-memprofile", "memory profile rate": "memprofile-rate"}

// flagError words the error of a request's parameter for its flag.
func flagError(err error) error {
	if parameter := new(api.ParameterError); errors.As(err, &parameter) {
		named := *parameter
		if flag := parameterFlags[named.Parameter]; flag != "" {
			named.Parameter = flag
		}
		return fmt.Errorf("--%w", &named)
	}
	return err
}
