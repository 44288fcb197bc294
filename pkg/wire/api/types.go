package api

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
)

// ProfileType is a kind of profile that a profiler can make, and what a request for it may ask.
type ProfileType struct {
	Name string // as in --type
	Path string // of the request; that of net/http/pprof where it has one
	// Instant means that it is read at once: a request's duration bounds the reading only, unless the memory profile
	// is to be turned on for that time.
	Instant bool
	// NeedsBPF means that it cannot be made where the kernel refuses BPF. The others read the target's memory.
	NeedsBPF bool

	Restarts   bool     // it goes on with the next start of the container, where the profiler outlives that
	Frequency  bool     // samples of threads are taken that often
	Times      bool     // it can say when samples were taken
	Levels     []string // values of By
	MemProfile bool     // EnableMemProfile serves it
	Freeze     bool
}

// ProfileTypes lists what can be asked for.
func ProfileTypes() []ProfileType {
	return []ProfileType{
		{Name: "cpu", Path: "/debug/pprof/profile", NeedsBPF: true, Restarts: true, Frequency: true, Times: true, Levels: []string{ByThread}},
		{Name: "offcpu", Path: "/debug/pprof/offcpu", NeedsBPF: true, Restarts: true, Levels: []string{ByThread}},
		{Name: "wall", Path: "/debug/pprof/wall", Frequency: true},
		{Name: "heap", Path: "/debug/pprof/heap", Instant: true, MemProfile: true},
		{Name: "allocs", Path: "/debug/pprof/allocs", MemProfile: true},
		{Name: "goroutine", Path: "/debug/pprof/goroutine", Instant: true, Freeze: true, Levels: []string{ByGoroutine}},
		{Name: "mutex", Path: "/debug/pprof/mutex", Instant: true},
		{Name: "block", Path: "/debug/pprof/block", Instant: true},
		{Name: "faults", Path: "/debug/pprof/faults", NeedsBPF: true, Restarts: true, Frequency: true, Levels: []string{ByThread}},
	}
}

// ReadTime bounds the reading of an Instant type.
const ReadTime = 30 * time.Second

// TypeOf gives the type of that name.
func TypeOf(name string) (ProfileType, error) {
	for _, t := range ProfileTypes() {
		if t.Name == name {
			return t, nil
		}
	}
	return ProfileType{}, BadRequest("unknown profile type %q; choose one of: %s", name, strings.Join(TypeNames(), ", "))
}

// Request makes a request for the type of one for several: what the type does not take is left out.
func (t ProfileType) Request(r Request) Request {
	r.Type = t.Name
	if !slices.Contains(t.Levels, r.By) {
		r.By = ""
	}
	r.NoTimes = r.NoTimes && t.Times
	r.Freeze = r.Freeze && t.Freeze
	if !t.MemProfile {
		r.EnableMemProfile, r.MemProfileRate = false, 0
	}
	if t.Instant && !r.EnableMemProfile {
		r.Duration = ReadTime
	}
	return r
}

// Parse reads a request for the type from the parameters of net/http/pprof and ours. What is left out has a default.
func (t ProfileType) Parse(q url.Values) (Request, error) { return parseRequest(t.Name, q) }

// Validate refuses values out of range, and what none of the types takes, in terms of the flags of that name. It is for
// requests that people make, of one or several types at once.
func (r Request) Validate(types []ProfileType) error {
	switch {
	case r.Duration <= 0 || r.Duration > MaxDuration:
		return fmt.Errorf("--duration %v: it must be above 0 and at most %v", r.Duration, MaxDuration)
	case r.Frequency < 1 || r.Frequency > requirements.MaxFrequency:
		return fmt.Errorf("--frequency %d: it must be from 1 to %d", r.Frequency, requirements.MaxFrequency)
	case slices.ContainsFunc(r.PIDs, func(pid int) bool { return pid < 1 }):
		return fmt.Errorf("--pid %v: process IDs are above 0", r.PIDs)
	case len(r.PIDs) > MaxPIDs:
		return fmt.Errorf("--pid: at most %d processes", MaxPIDs)
	case r.By != "" && r.By != ByThread && r.By != ByGoroutine:
		return fmt.Errorf("--by %s: it can be %s or %s", r.By, ByThread, ByGoroutine)
	case r.EnableMemProfile && (r.MemProfileRate < 1 || r.MemProfileRate > MaxMemProfileRate):
		return fmt.Errorf("--memprofile-rate %d: it must be from 1 to %d bytes", r.MemProfileRate, MaxMemProfileRate)
	}
	for _, flag := range []struct {
		name  string
		given bool
		takes func(ProfileType) bool
	}{
		{"--by " + r.By, r.By != "", func(t ProfileType) bool { return slices.Contains(t.Levels, r.By) }},
		{"--enable-memprofile", r.EnableMemProfile, func(t ProfileType) bool { return t.MemProfile }},
		{"--freeze", r.Freeze, func(t ProfileType) bool { return t.Freeze }},
	} {
		if flag.given && !slices.ContainsFunc(types, flag.takes) {
			return fmt.Errorf("%s is for --type %s", flag.name, strings.Join(namesOf(slices.DeleteFunc(ProfileTypes(), func(t ProfileType) bool { return !flag.takes(t) })), " or "))
		}
	}
	return nil
}

// TypeNames lists the names of all types.
func TypeNames() []string { return namesOf(ProfileTypes()) }

func namesOf(types []ProfileType) []string {
	var names []string
	for _, t := range types {
		names = append(names, t.Name)
	}
	return names
}

// TypesOf gives the types of those names, each once and in their order. A name may be an alias.
func TypesOf(names []string) ([]ProfileType, error) {
	var types []ProfileType
	for _, name := range names {
		if name == "memory" {
			name = "heap"
		}
		t, err := TypeOf(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(types, func(u ProfileType) bool { return u.Name == name }) {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("--type is empty")
	}
	return types, nil
}
