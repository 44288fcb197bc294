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

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// hasGoroutines reports whether a profile has goroutines with their states. Its text form is then a traceback.
func hasGoroutines(p *profile.Profile) bool {
	index := valueIndex(p)
	return index >= 0 && p.SampleType[index].Type == "goroutine" &&
		slices.ContainsFunc(p.Sample, func(s *profile.Sample) bool { return len(s.Label[meta.StateLabel.Name()]) > 0 })
}

// writeTraceback writes goroutines in the format of the runtime's tracebacks (GOTRACEBACK=all; runtime/traceback.go). Equal
// goroutines are one entry, the most numerous first; goroutines with IDs are in the order of these.
func writeTraceback(out *bufio.Writer, p *profile.Profile) {
	index := valueIndex(p)
	samples := slices.Clone(p.Sample)
	slices.SortStableFunc(samples, func(a, b *profile.Sample) int {
		return cmp.Or(cmp.Compare(meta.PIDLabel.Get(a), meta.PIDLabel.Get(b)), cmp.Compare(meta.GoroutineLabel.Get(a), meta.GoroutineLabel.Get(b)),
			cmp.Compare(b.Value[index], a.Value[index]))
	})
	several := countProcesses(p) > 1
	for i, s := range samples {
		if several && (i == 0 || meta.PIDLabel.Get(s) != meta.PIDLabel.Get(samples[i-1])) {
			fmt.Fprintf(out, "process %s\n\n", processOf(s))
		}
		fmt.Fprintf(out, "%s [%s]:\n", goroutineName(s, s.Value[index]), goroutineState(s))
		for _, f := range tracebackFrames(s) {
			fmt.Fprintln(out, f.name)
			if f.file != "" {
				fmt.Fprintf(out, "\t%s:%d\n", f.file, f.line)
			}
		}
		if by, ok := meta.CreatedByLabel.Lookup(s); ok {
			fmt.Fprintf(out, "created by %s", printable(withoutTypes(by)))
			if id := meta.ParentLabel.Get(s); id != 0 {
				fmt.Fprintf(out, " in goroutine %d", id)
			}
			fmt.Fprintln(out)
			if at, ok := meta.CreatedAtLabel.Lookup(s); ok {
				fmt.Fprintf(out, "\t%s\n", printable(at))
			}
		}
		fmt.Fprintln(out)
	}
}

func goroutineName(s *profile.Sample, count int64) string {
	if id := meta.GoroutineLabel.Get(s); id != 0 {
		return fmt.Sprintf("goroutine %d", id)
	}
	if count == 1 {
		return "1 goroutine"
	}
	return fmt.Sprintf("%d goroutines", count)
}

// goroutineState returns what the runtime writes in brackets: state, time of the wait, labels.
func goroutineState(s *profile.Sample) string {
	state := "unknown"
	for _, label := range []meta.TextLabel{meta.WaitReasonLabel, meta.StateLabel} {
		if v, ok := label.Lookup(s); ok {
			state = printable(v)
			break
		}
	}
	if meta.StateLabel.Get(s) == meta.LeakedState && state != meta.LeakedState {
		state += " (leaked)"
	}
	if minutes := meta.WaitLabel.Get(s) / 60; minutes >= 1 {
		state += fmt.Sprintf(", %d minutes", minutes)
	}
	var own []string
	for _, key := range slices.Sorted(maps.Keys(s.Label)) {
		values := s.Label[key]
		switch key {
		case meta.ProcessLabel.Name():
			values = nil
		case meta.StateLabel.Name(), meta.WaitReasonLabel.Name(), meta.CreatedByLabel.Name(), meta.CreatedAtLabel.Name():
			values = values[min(len(values), 1):] // the rest are labels of the goroutine itself
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

// tracebackFrame is a function in a traceback.
type tracebackFrame struct {
	name, file string
	line       int64
}

// tracebackFrames returns the functions of a stack, leaf first. Like the runtime it leaves out functions of the runtime that
// programs do not call themselves, unless there are no others.
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

// callOf returns a call as the runtime writes it without arguments, for programs that parse tracebacks. Markers in place of
// functions, such as "[running]", are returned unchanged.
func callOf(name string) string {
	if strings.HasPrefix(name, "[") {
		return name
	}
	return name + "(...)"
}

// internalToRuntime reports whether a function belongs to the runtime and is hidden in tracebacks (showframe,
// runtime/traceback.go).
func internalToRuntime(name string) bool {
	rest, ok := strings.CutPrefix(name, "runtime.")
	if !ok || rest == "gopanic" || rest == "sigpanic" {
		return false
	}
	return rest == "" || !unicode.IsUpper(rune(rest[0]))
}
