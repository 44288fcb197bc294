package meta

import (
	"maps"

	"github.com/google/pprof/profile"
)

// TextLabel is a label of samples with text.
type TextLabel struct{ name string }

// NumberLabel is a numeric label of samples.
type NumberLabel struct{ name, unit string }

// Labels that say where a sample is from.
var (
	ProcessLabel = TextLabel{"process"} // name
	PIDLabel     = NumberLabel{"pid", ""}
	ThreadLabel  = TextLabel{"thread"}    // name; set if profiled by thread
	TIDLabel     = NumberLabel{"tid", ""} // likewise

	// Set in profiles that are merged of those of several pods.
	PodLabel       = TextLabel{"pod"} // namespace/name
	ContainerLabel = TextLabel{"container"}
	NodeLabel      = TextLabel{"node"}
)

// Labels that say what a sample is.
var (
	TimeLabel  = NumberLabel{"time", "milliseconds"} // when it was taken, since the profile's start
	StateLabel = TextLabel{"state"}                  // of a waiting thread or a goroutine
	BytesLabel = NumberLabel{"bytes", "bytes"}       // size of an allocated object
	EventLabel = TextLabel{"event"}                  // perf's name of the sampled event
	BaseLabel  = TextLabel{"pprof::base"}            // "true" for samples of the base, by which go tool pprof takes shares
)

// Labels of goroutines. A goroutine may have labels of its own with the same names; ours come first.
var (
	GoroutineLabel  = NumberLabel{"goroutine", ""}   // its ID; without it a sample stands for all that are equal
	ParentLabel     = NumberLabel{"parent", ""}      // ID of the goroutine that created it
	WaitLabel       = NumberLabel{"wait", "seconds"} // how long it has waited
	WaitReasonLabel = TextLabel{"wait reason"}       // as in the runtime's tracebacks
	CreatedByLabel  = TextLabel{"created by"}        // function with the go statement
	CreatedAtLabel  = TextLabel{"created at"}        // file and line of the go statement
)

// LeakedState is the value of StateLabel of a goroutine that the runtime has found to wait for ever.
const LeakedState = "leaked"

// Name returns the label's key.
func (l TextLabel) Name() string { return l.name }

// Lookup returns the sample's first value and reports whether it has one.
func (l TextLabel) Lookup(s *profile.Sample) (value string, ok bool) {
	if values := s.Label[l.name]; len(values) > 0 {
		return values[0], true
	}
	return "", false
}

// Get returns the sample's first value, or "".
func (l TextLabel) Get(s *profile.Sample) string {
	value, _ := l.Lookup(s)
	return value
}

// Set replaces the sample's values by one.
func (l TextLabel) Set(s *profile.Sample, value string) {
	if s.Label == nil {
		s.Label = map[string][]string{}
	}
	s.Label[l.name] = []string{value}
}

// Remove removes the label from the sample.
func (l TextLabel) Remove(s *profile.Sample) { delete(s.Label, l.name) }

// Name returns the label's key.
func (l NumberLabel) Name() string { return l.name }

// Unit returns the unit of the values, "" if they have none.
func (l NumberLabel) Unit() string { return l.unit }

// Lookup returns the sample's first value and reports whether it has one.
func (l NumberLabel) Lookup(s *profile.Sample) (value int64, ok bool) {
	if values := s.NumLabel[l.name]; len(values) > 0 {
		return values[0], true
	}
	return 0, false
}

// Get returns the sample's first value, or 0.
func (l NumberLabel) Get(s *profile.Sample) int64 {
	value, _ := l.Lookup(s)
	return value
}

// Set replaces the sample's values by one.
func (l NumberLabel) Set(s *profile.Sample, value int64) {
	if s.NumLabel == nil {
		s.NumLabel = map[string][]int64{}
	}
	s.NumLabel[l.name] = []int64{value}
	if l.unit == "" {
		return
	}
	if s.NumUnit = maps.Clone(s.NumUnit); s.NumUnit == nil { // samples may share one
		s.NumUnit = map[string][]string{}
	}
	s.NumUnit[l.name] = []string{l.unit}
}

// Units returns a value for Sample.NumUnit that many samples may share, if this is their only label with a unit. It must not
// be changed.
func (l NumberLabel) Units() map[string][]string { return map[string][]string{l.name: {l.unit}} }
