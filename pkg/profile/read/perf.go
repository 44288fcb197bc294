package read

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
)

// perfLabels is the largest number of labels of an event: time, thread, process, two IDs and the event's name.
const perfLabels = 6

// perfRecord matches a record that is not an event, as the options --show-mmap-events, --show-lost-events and others print it.
var perfRecord = regexp.MustCompile(`(?:^|\s)PERF_RECORD_[A-Z0-9_]+(?:[\s(:]|$)(?:\s*lost (\d+)\s*$)?`)

// perfReader holds the events read so far.
type perfReader struct {
	*builder
	start, last time.Duration // on perf's clock
	started     bool          // start is set
	timed       bool          // events have times, so lines without one are not events
	threadless  bool          // events have commands, but no threads
	addressed   bool          // frames have addresses
	threads     map[string]bool
	processes   map[int64]string  // name of each process
	words       map[string]string // commands and events
	events      perfEvents
	lost        int64 // samples, as the records say
	number      int   // of the line that is read, from 1
	bad         badLines

	open      bool            // the stack of an event is being read
	separated bool            // blank lines end events
	sample    *profile.Sample // of that event
	bare      bool            // the event has other text, like a tracepoint, so there may be no stack
	record    bool            // the last line is a record, whose other lines are indented
	inlined   []string        // functions inlined into the next frame, innermost first
}

// fromPerfScript reads the output of `perf script`: any events and fields, with or without inlined frames, source lines and
// records. Lines that are not understood are left out and counted in a comment.
func fromPerfScript(data []byte) (*profile.Profile, error) {
	r := &perfReader{
		builder: newBuilder(&profile.ValueType{Type: "samples", Unit: "count"}),
		threads: map[string]bool{}, processes: map[int64]string{}, words: map[string]string{},
	}
	r.survey(data)
	for rest := data; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		r.number++
		if err := r.line(line, rest); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.number, err)
		}
	}
	cut := r.open && !r.bare && (len(r.sample.Location) > 0 || r.separated)
	if err := r.end(); err != nil {
		return nil, err
	}
	p, err := r.finish()
	if err != nil {
		return nil, err
	}
	if cut {
		meta.FileNote.Add(p, "the blank line after the last event is missing: if the file was cut off, its end is missing too")
	}
	return p, nil
}

// line reads a line without its end. The rest of the file follows it.
func (r *perfReader) line(line, rest []byte) error {
	switch {
	case len(bytes.TrimSpace(line)) == 0:
		r.record = false
		if r.open && len(r.sample.Location) == 0 && len(r.inlined) == 0 && !r.bare {
			return nil // some versions print a blank line before the stack
		}
		r.separated = r.separated || r.open
		return r.end()
	case line[0] == '#':
		return nil
	case len(line) > maxLine:
		r.bad.add(r.number, line)
		return nil
	}
	text := string(line)
	if r.readRecord(text) {
		return nil
	}
	if h, ok := r.header(text, rest); ok {
		r.record = false
		return r.begin(h)
	}
	if !r.open && !r.timed {
		if startsFrame(line) { // -F ip,sym
			if err := r.begin(perfHeader{pid: -1, tid: -1, period: -1}); err != nil {
				return err
			}
		} else if h, f, ok := bareInLine(text); ok {
			if err := r.begin(h); err != nil {
				return err
			}
			return cmp.Or(r.frame(f), r.end())
		}
	}
	f, ok := parseFrame(text, false)
	source := isSource(text)
	switch {
	case r.open && !source && ok && (f.addressed || !r.addressed):
		r.record = false
		return r.frame(f)
	case source && r.sampled():
	case r.open && len(r.sample.Location) > 0 && perfLastField.MatchString(text):
		return r.end()
	case r.record && (line[0] == ' ' || line[0] == '\t'):
	default:
		r.bad.add(r.number, line)
	}
	return nil
}

// readRecord reads a record and reports whether the line is one.
func (r *perfReader) readRecord(line string) bool {
	if !strings.Contains(line, "PERF_RECORD_") { // quicker than the expression
		return false
	}
	m := perfRecord.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	if n, err := strconv.ParseInt(m[1], 10, 32); err == nil {
		r.lost += n
	}
	r.record = true
	return true
}

// header parses the first line of an event, which its stack may follow.
func (r *perfReader) header(line string, rest []byte) (h perfHeader, ok bool) {
	h, ok = timedHeader(line, !r.threadless)
	if ok || r.timed || line[0] == '\t' {
		return h, ok
	}
	if !r.threadless {
		h, ok = untimedHeader(line)
	}
	if !ok && !r.open && startsFrame(rest) {
		h, ok = bareHeader(line)
	}
	return h, ok
}

// sampled reports whether there are events already.
func (r *perfReader) sampled() bool { return r.open || len(r.p.Sample) > 0 }

// begin ends the last event and begins another.
func (r *perfReader) begin(h perfHeader) error {
	if err := r.end(); err != nil {
		return err
	}
	r.budget.Samples(1)
	r.budget.Labels(perfLabels)
	h.command, h.event = r.word(h.command), r.word(h.event)
	if err := r.budget.Err(); err != nil {
		return err
	}
	s := &profile.Sample{}
	if h.timed {
		if !r.started {
			r.start, r.started = h.time, true
		}
		r.timed = true
		r.last = max(r.last, h.time)
		meta.TimeLabel.Set(s, bucket(max(h.time-r.start, 0)))
	}
	if h.command != "" {
		meta.ThreadLabel.Set(s, h.command)
	}
	r.threads[h.command] = true
	if h.tid >= 0 {
		meta.TIDLabel.Set(s, h.tid)
	}
	if h.pid >= 0 { // process/thread
		if r.processes[h.pid] == "" {
			r.processes[h.pid] = h.command
		}
		meta.PIDLabel.Set(s, h.pid)
		if name := r.processes[h.pid]; name != "" {
			meta.ProcessLabel.Set(s, name)
		}
	}
	if h.event != "" {
		meta.EventLabel.Set(s, h.event)
	}
	r.events.add(h)
	r.sample, r.open, r.bare = s, true, h.rest != ""
	if h.rest != "" {
		if f, ok := frameInLine(h); ok {
			return cmp.Or(r.frame(f), r.end())
		}
	}
	return nil
}

// word returns a string that equals the given one, which is a part of a line, and does not keep the line in memory.
func (r *perfReader) word(part string) string {
	known, ok := r.words[part]
	if !ok {
		r.budget.String(len(part))
		known = strings.Clone(part)
		r.words[known] = known
	}
	return known
}

// frame adds a frame to the event's stack.
func (r *perfReader) frame(f perfFrame) error {
	r.addressed = r.addressed || f.addressed
	names := f.functions()
	if len(r.inlined)+len(names) > limits.MaxDepth {
		return fmt.Errorf("more than %d frames are inlined into one", limits.MaxDepth)
	}
	if f.file == "inlined" {
		r.inlined = append(r.inlined, names...)
		return nil
	}
	return r.locate(append(r.inlined, names...), f.mapping())
}

// locate adds a location with the given functions to the event's stack.
func (r *perfReader) locate(functions []string, file string) error {
	l, err := r.location(file, functions...)
	r.budget.Numbers(1)
	if err := cmp.Or(err, r.budget.Err()); err != nil {
		return err
	}
	r.sample.Location, r.inlined, r.bare = append(r.sample.Location, l), nil, false
	return nil
}

// end completes the event whose stack was read.
func (r *perfReader) end() error {
	if len(r.inlined) > 0 { // the frame that they are inlined into is missing
		if err := r.locate(r.inlined, ""); err != nil {
			return err
		}
	}
	if r.open {
		r.p.Sample = append(r.p.Sample, r.sample)
	}
	r.open, r.bare, r.sample = false, false, nil
	return nil
}

// finish completes the profile.
func (r *perfReader) finish() (*profile.Profile, error) {
	p := r.p
	p.DurationNanos = int64(r.last - r.start)
	if len(r.processes) == 0 && len(r.threads) > 1 {
		meta.By.Add(p, meta.ByThread) // flame graphs of perf have threads at their root
	}
	r.budget.Numbers(len(p.Sample) * r.events.types())
	if err := r.budget.Err(); err != nil {
		return nil, err
	}
	r.events.setValues(p)
	if r.lost > 0 {
		meta.LostSamples.Add(p, r.lost)
	}
	r.bad.addNote(p, "part of the output of perf script")
	return p, nil
}

// bucket returns a time in milliseconds, rounded down to 10 as in our own captures.
func bucket(at time.Duration) int64 { return at.Milliseconds() / 10 * 10 }
