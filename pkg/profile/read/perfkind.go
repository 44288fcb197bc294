package read

import (
	"regexp"
	"strings"

	"github.com/google/pprof/profile"
)

// perfKind is one kind of event: cycles are of one kind in all modes (cycles:u) and on all CPUs (cpu_core/cycles/).
type perfKind struct {
	name    string // with modifiers if all its events have the same
	periods bool   // every event has a period
	first   int64  // period
}

var (
	perfModifiers = regexp.MustCompile(`^([^:]+):[ukhGHIpPSDWeb]+$`)
	perfHybrid    = regexp.MustCompile(`^cpu_(?:core|atom|lowpower)/([^/]*)/`)
)

// kindName returns the name of an event without modifiers and without the kind of CPU in a hybrid processor.
func kindName(event string) string {
	event = perfHybrid.ReplaceAllString(event, "$1:")
	event = strings.TrimSuffix(event, ":")
	if m := perfModifiers.FindStringSubmatch(event); m != nil {
		return m[1]
	}
	return event
}

// isTracepoint reports whether an event is a tracepoint or probe, system:name.
func isTracepoint(event string) bool { return strings.Contains(kindName(event), ":") }

// valueType returns the type of the values of this kind.
func (k perfKind) valueType() *profile.ValueType {
	name := k.name
	if name == "" {
		name = "unnamed"
	}
	switch base := kindName(name); {
	case !k.periods:
		return &profile.ValueType{Type: name, Unit: "count"}
	case base == "cpu-clock" || base == "task-clock":
		return &profile.ValueType{Type: name, Unit: "nanoseconds"}
	}
	return &profile.ValueType{Type: name, Unit: "events"}
}
