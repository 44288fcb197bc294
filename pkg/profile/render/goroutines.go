package render

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/pprof/profile"
)

// Labels that a profile of goroutines has; others are the goroutines' own.
const (
	stateLabel   = "state"       // as in the runtime's tracebacks
	reasonLabel  = "wait reason" // what for it waits, if it does
	creatorLabel = "created by"  // function with the go statement
	createdLabel = "created at"  // file and line of that
	processLabel = "process"

	goroutineNumber = "goroutine" // its ID; without it a sample stands for all that are equal
	parentNumber    = "parent"    // ID of the one that made it
	waitNumber      = "wait"      // for how long it has waited, in seconds
)

// tellsGoroutines says whether a profile is of goroutines and their states: then its text is a traceback.
func tellsGoroutines(p *profile.Profile) bool {
	index := valueIndex(p)
	return index >= 0 && p.SampleType[index].Type == "goroutine" &&
		slices.ContainsFunc(p.Sample, func(s *profile.Sample) bool { return len(s.Label[stateLabel]) > 0 })
}

// writeTraceback writes goroutines as the runtime's own tracebacks have them (GOTRACEBACK=all; runtime/traceback.go).
// Those that are equal are one entry, the most numerous first; single ones are in the order of their IDs.
func writeTraceback(out *bufio.Writer, p *profile.Profile) {
	index := valueIndex(p)
	samples := slices.Clone(p.Sample)
	slices.SortStableFunc(samples, func(a, b *profile.Sample) int {
		return cmp.Or(cmp.Compare(pidOf(a), pidOf(b)), cmp.Compare(number(a, goroutineNumber), number(b, goroutineNumber)),
			cmp.Compare(b.Value[index], a.Value[index]))
	})
	several := processes(p) > 1
	for i, s := range samples {
		if several && (i == 0 || pidOf(s) != pidOf(samples[i-1])) {
			fmt.Fprintf(out, "process %s\n\n", processOf(s))
		}
		fmt.Fprintf(out, "%s [%s]:\n", goroutineName(s, s.Value[index]), goroutineState(s))
		for _, f := range tracebackFrames(s) {
			fmt.Fprintln(out, f.name)
			if f.file != "" {
				fmt.Fprintf(out, "\t%s:%d\n", f.file, f.line)
			}
		}
		if by := s.Label[creatorLabel]; len(by) > 0 {
			fmt.Fprintf(out, "created by %s", printable(withoutTypes(by[0])))
			if id := number(s, parentNumber); id != 0 {
				fmt.Fprintf(out, " in goroutine %d", id)
			}
			fmt.Fprintln(out)
			if at := s.Label[createdLabel]; len(at) > 0 {
				fmt.Fprintf(out, "\t%s\n", printable(at[0]))
			}
		}
		fmt.Fprintln(out)
	}
}

func number(s *profile.Sample, key string) int64 {
	if v := s.NumLabel[key]; len(v) > 0 {
		return v[0]
	}
	return 0
}

func goroutineName(s *profile.Sample, count int64) string {
	if id := number(s, goroutineNumber); id != 0 {
		return fmt.Sprintf("goroutine %d", id)
	}
	if count == 1 {
		return "1 goroutine"
	}
	return fmt.Sprintf("%d goroutines", count)
}

// goroutineState is what the runtime writes in brackets.
func goroutineState(s *profile.Sample) string {
	state := "unknown"
	for _, key := range []string{reasonLabel, stateLabel} {
		if v := s.Label[key]; len(v) > 0 {
			state = printable(v[0])
			break
		}
	}
	if minutes := number(s, waitNumber) / 60; minutes >= 1 {
		state += fmt.Sprintf(", %d minutes", minutes)
	}
	var own []string
	for _, key := range slices.Sorted(maps.Keys(s.Label)) {
		values := s.Label[key]
		switch key {
		case processLabel:
			values = nil
		case stateLabel, reasonLabel, creatorLabel, createdLabel:
			values = values[min(len(values), 1):] // a goroutine may have one of that name itself
		}
		for _, value := range values {
			own = append(own, quoted(key)+": "+quoted(value))
		}
	}
	if len(own) > 0 {
		state += " labels:{" + strings.Join(own, ", ") + "}"
	}
	return state
}

func quoted(s string) string { return strconv.Quote(printable(s)) }

// tracebackFrame is one function of a traceback.
type tracebackFrame struct {
	name, file string
	line       int64
}

// tracebackFrames are a stack's functions, leaf first. Those of the runtime that programs do not call themselves are left
// out, as the runtime leaves them out, unless nothing else would remain.
func tracebackFrames(s *profile.Sample) []tracebackFrame {
	var all, shown []tracebackFrame
	for _, l := range s.Location {
		if len(l.Line) == 0 {
			all = append(all, tracebackFrame{name: unknownName(l)})
			shown = append(shown, all[len(all)-1])
		}
		for _, line := range l.Line {
			if line.Function == nil {
				continue
			}
			f := tracebackFrame{callOf(FunctionName(line.Function)), printable(line.Function.Filename), line.Line}
			all = append(all, f)
			if !internalToRuntime(line.Function.Name) {
				shown = append(shown, f)
			}
		}
	}
	if len(shown) == 0 {
		return all
	}
	return shown
}

// callOf writes a function as the runtime does if it does not know the arguments, for programs that read tracebacks.
// Markers in the place of functions stay.
func callOf(name string) string {
	if strings.HasPrefix(name, "[") {
		return name
	}
	return name + "(...)"
}

// internalToRuntime tells whether a function is one of the runtime's that tracebacks hide (showframe, runtime/traceback.go).
func internalToRuntime(name string) bool {
	rest, ok := strings.CutPrefix(name, "runtime.")
	if !ok || rest == "gopanic" || rest == "sigpanic" {
		return false
	}
	return rest == "" || !unicode.IsUpper(rune(rest[0]))
}
