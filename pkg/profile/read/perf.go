package read

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// perfHeader matches the first line of an event in the output of `perf script` (tools/perf/builtin-script.c): command, thread or
// process/thread, CPU, seconds, period, event; then the only frame if no stack was recorded.
//
//	sh 16882 [001] 36084.130304:     250000 cpu-clock:
var perfHeader = regexp.MustCompile(`^\s*(\S.*?)\s+(\d+)(?:/(\d+))?\s+(?:\[\d+\]\s+)?(?:\S+\s+)?(\d+)\.(\d{6,9}):\s+(?:(\d+)\s+)?([^\s:]\S*):(?:\s+(.*))?$`)

// perfFrame matches a line of a stack, leaf first: address, symbol with offset, object file.
//
//	ffffffff821ef691 do_syscall_64+0x71 ([kernel.kallsyms])
var perfFrame = regexp.MustCompile(`^\s*[0-9a-f]+ (.*) \(((?:[^()]|\(deleted\)|\[[^\]]*\])*)\)$`)

var perfOffset = regexp.MustCompile(`\+0x[0-9a-f]+$`)

// perfReader holds the events read so far.
type perfReader struct {
	*builder
	start, last time.Duration // on perf's clock
	events      map[string]bool
	threads     map[string]bool
	processes   map[int64]string // name of each process
	periods     bool             // every event has a period
	period      int64            // of the first event

	open    bool                // the stack of an event is being read
	sample  *profile.Sample     // of that event
	bare    bool                // the event has other text, like a tracepoint, so there may be no stack
	inlined []*profile.Function // into the next frame, innermost first
}

// fromPerfScript reads the output of `perf script` with its default fields: any events, with or without inlined frames. Source
// lines between the frames are skipped.
func fromPerfScript(data []byte) (*profile.Profile, error) {
	r := &perfReader{
		builder: newBuilder(&profile.ValueType{Type: "samples", Unit: "count"}),
		events:  map[string]bool{}, threads: map[string]bool{}, processes: map[int64]string{}, periods: true,
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		switch line := string(bytes.TrimRight(line, "\r\n")); {
		case strings.TrimSpace(line) == "":
			if err := r.end(); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
		case line[0] == '#':
		case r.open && r.frame(line):
		default:
			if err := r.header(line); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	if r.bare {
		if err := r.end(); err != nil {
			return nil, err
		}
	}
	if r.open || !bytes.HasSuffix(data, []byte("\n")) {
		return nil, fmt.Errorf("%w: the stack of its last event has no end", errCutOff)
	}
	return r.finish(), nil
}

func (r *perfReader) header(line string) error {
	m := perfHeader.FindStringSubmatch(line)
	if m == nil && r.open && line[0] == ' ' {
		return nil // a source line
	}
	if m == nil {
		return fmt.Errorf("neither an event nor a frame of perf script: %.80q", line)
	}
	if err := r.end(); err != nil {
		return err
	}
	seconds, err1 := strconv.ParseInt(m[4], 10, 32)
	fraction, err2 := strconv.ParseInt((m[5] + "000")[:9], 10, 64)
	pid, err3 := strconv.ParseInt(m[2], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	at := time.Duration(seconds)*time.Second + time.Duration(fraction)
	if len(r.p.Sample) == 0 {
		r.start = at
	}
	r.last = max(r.last, at)
	s := &profile.Sample{Value: []int64{1, 0}}
	meta.TimeLabel.Set(s, bucket(max(at-r.start, 0)))
	meta.ThreadLabel.Set(s, m[1])
	meta.TIDLabel.Set(s, pid)
	r.threads[m[1]] = true
	if m[3] != "" { // process/thread
		if r.processes[pid] == "" {
			r.processes[pid] = m[1]
		}
		tid, err := strconv.ParseInt(m[3], 10, 64)
		if err != nil {
			return err
		}
		meta.PIDLabel.Set(s, pid)
		meta.TIDLabel.Set(s, tid)
		meta.ProcessLabel.Set(s, r.processes[pid])
	}
	var err error
	if s.Value[1], err = strconv.ParseInt(m[6], 10, 64); err != nil {
		r.periods = false
	} else if r.period == 0 {
		r.period = s.Value[1]
	}
	r.events[m[7]] = true
	meta.EventLabel.Set(s, m[7])
	r.sample, r.open = s, true
	if m[8] != "" && r.frame(m[8]) {
		return r.end()
	}
	r.bare = m[8] != ""
	return nil
}

// frame adds a line to the event's stack and reports whether the line is a frame.
func (r *perfReader) frame(line string) bool {
	line = strings.TrimSpace(line)
	m := perfFrame.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	name, file := perfOffset.ReplaceAllString(m[1], ""), m[2]
	if file == "inlined" {
		r.inlined = append(r.inlined, r.function(name))
		return true
	}
	if file == "[unknown]" {
		file = ""
	}
	if name == "[unknown]" {
		name = ""
	}
	l := r.inlinedLocation(name, file)
	r.sample.Location, r.inlined, r.bare = append(r.sample.Location, l), nil, false
	return true
}

// inlinedLocation returns the location of a function with the calls that were inlined into it.
func (r *perfReader) inlinedLocation(name, file string) *profile.Location {
	if len(r.inlined) == 0 {
		return r.location(name, file)
	}
	l := r.newLocation(file)
	for _, f := range r.inlined {
		l.Line = append(l.Line, profile.Line{Function: f})
	}
	l.Line = append(l.Line, profile.Line{Function: r.function(name)})
	return l
}

// end completes the event whose stack was read.
func (r *perfReader) end() error {
	if len(r.inlined) > 0 {
		return errors.New("inlined frames without the frame that they are inlined into")
	}
	if r.open {
		r.p.Sample = append(r.p.Sample, r.sample)
	}
	r.open, r.bare, r.sample = false, false, nil
	return nil
}

// finish sets the values of the samples: they are weighted by period if all events are of one kind.
func (r *perfReader) finish() *profile.Profile {
	p := r.p
	p.DurationNanos = int64(r.last - r.start)
	if len(r.processes) == 0 && len(r.threads) > 1 {
		meta.By.Add(p, meta.ByThread) // flame graphs of perf have threads at their root
	}
	weighted := r.periods && len(r.events) == 1
	for event := range r.events {
		if weighted {
			typ := &profile.ValueType{Type: event, Unit: "events"}
			if strings.HasPrefix(event, "cpu-clock") || strings.HasPrefix(event, "task-clock") {
				typ = &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
			}
			p.SampleType, p.DefaultSampleType = append(p.SampleType, typ), typ.Type
			p.PeriodType, p.Period = typ, r.period
			meta.Event.Add(p, event)
		}
	}
	for _, s := range p.Sample {
		if !weighted {
			s.Value = s.Value[:1]
		} else {
			meta.EventLabel.Remove(s)
		}
	}
	return p
}

// bucket returns a time in milliseconds, rounded down to 10 as in our own captures.
func bucket(at time.Duration) int64 { return at.Milliseconds() / 10 * 10 }
