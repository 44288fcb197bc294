package api

import (
	"slices"
	"strings"
)

// ProfileType is a kind of profile that a profiler can take. It also holds which parameters a request for it may have.
type ProfileType struct {
	Name string
	Path string // of the request; that of net/http/pprof where it has the type
	// Instant means that the profile is of one moment. The duration of a request then only bounds how long reading it takes,
	// unless the request turns on the memory profile for that time.
	Instant bool
	// NeedsBPF means that the kernel must permit BPF. Other types only read the target's memory.
	NeedsBPF bool

	Restarts    bool // Request.Restarts
	Frequency   bool // Request.Frequency
	Times       bool // Request.NoTimes
	ByThread    bool // Request.By may be ByThread
	ByGoroutine bool // Request.By may be ByGoroutine
	MemProfile  bool // Request.EnableMemProfile
	Freeze      bool // Request.Freeze
}

// Profile types.
var (
	CPU       = ProfileType{Name: "cpu", Path: "/debug/pprof/profile", NeedsBPF: true, Restarts: true, Frequency: true, Times: true, ByThread: true}
	OffCPU    = ProfileType{Name: "offcpu", Path: "/debug/pprof/offcpu", NeedsBPF: true, Restarts: true, ByThread: true}
	Wall      = ProfileType{Name: "wall", Path: "/debug/pprof/wall", Frequency: true}
	Heap      = ProfileType{Name: "heap", Path: "/debug/pprof/heap", Instant: true, MemProfile: true}
	Allocs    = ProfileType{Name: "allocs", Path: "/debug/pprof/allocs", MemProfile: true}
	Goroutine = ProfileType{Name: "goroutine", Path: "/debug/pprof/goroutine", Instant: true, Freeze: true, ByGoroutine: true}
	Mutex     = ProfileType{Name: "mutex", Path: "/debug/pprof/mutex", Instant: true}
	Block     = ProfileType{Name: "block", Path: "/debug/pprof/block", Instant: true}
	Faults    = ProfileType{Name: "faults", Path: "/debug/pprof/faults", NeedsBPF: true, Restarts: true, Frequency: true, ByThread: true}
)

// ProfileTypes returns all profile types, in the order in which they are listed for users.
func ProfileTypes() []ProfileType {
	return []ProfileType{CPU, OffCPU, Wall, Heap, Allocs, Goroutine, Mutex, Block, Faults}
}

// TypeNames returns the names of all profile types.
func TypeNames() []string { return namesOf(ProfileTypes()) }

// ParseType returns the profile type with the given name, or an *Error that lists the names.
func ParseType(name string) (ProfileType, error) {
	if name == "memory" { // alias
		return Heap, nil
	}
	for _, t := range ProfileTypes() {
		if t.Name == name {
			return t, nil
		}
	}
	return ProfileType{}, BadRequest("unknown profile type %q; choose one of: %s", name, strings.Join(TypeNames(), ", "))
}

// ParseTypes returns the profile types with the given names, each once and in that order.
func ParseTypes(names []string) ([]ProfileType, error) {
	var types []ProfileType
	for _, name := range names {
		t, err := ParseType(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		return nil, outOfRange("type", "", "name at least one profile type")
	}
	return types, nil
}

func (t ProfileType) String() string { return t.Name }

// takesBy reports whether a request for the type may have the value of Request.By.
func (t ProfileType) takesBy(by string) bool {
	switch by {
	case "":
		return true
	case ByThread:
		return t.ByThread
	case ByGoroutine:
		return t.ByGoroutine
	}
	return false
}

// Request returns a request for the type with those parameters of r that the type takes.
func (t ProfileType) Request(r Request) Request {
	r.Type = t
	if !t.takesBy(r.By) {
		r.By = ""
	}
	r.NoTimes = r.NoTimes && t.Times
	r.Freeze = r.Freeze && t.Freeze
	if !t.MemProfile {
		r.EnableMemProfile, r.MemProfileRate = false, 0
	}
	if r.Instant() {
		r.Duration = ReadTime
	}
	return r
}

func namesOf(types []ProfileType) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}
