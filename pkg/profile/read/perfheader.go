package read

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// perfHeader is the first line of an event in the output of `perf script` (tools/perf/builtin-script.c, Linux 6.17): command,
// thread or process/thread, CPU, mode, seconds, period, event; then other text or the only frame. All fields may be missing.
//
//	sh 16882 [001] 36084.130304:     250000 cpu-clock:
type perfHeader struct {
	command  string
	pid, tid int64 // -1 if unknown
	// threadless is set if there is a command, but no thread.
	threadless bool
	timed      bool
	time       time.Duration // on perf's clock
	period     int64         // -1 if not printed
	event      string        // "" if not printed
	rest       string
}

// perfOptional matches fields that are not used: CPU, virtual machine, and the mode or flags of the sample.
const perfOptional = `(?:(?:\[\d+\]|VM:\s*\d+|VCPU:\d+|[KUHGgMESD]{1,5}|[\w#*+-]*\.[\w.#*+-]*)\s+)*`

const perfThread = `^\s*(?:(\S.*?)\s+)?(-?\d+)(?:/(-?\d+))?\s+` + perfOptional

var (
	perfBeforeTime = regexp.MustCompile(perfThread + `$`)
	perfNoThread   = regexp.MustCompile(`^\s*(\S.*?)??\s*` + perfOptional + `$`)
	perfAfterTime  = regexp.MustCompile(`^\s*(?:(\d+)\s+)?(?:([A-Za-z_]\S*|raw 0x[0-9a-f]+\S*):(?:\s(.*))?)?$`)
	perfUntimed    = regexp.MustCompile(perfThread + `(?:(\d+)\s+)?([A-Za-z_]\S*|raw 0x[0-9a-f]+\S*):(?:\s(.*))?$`)
)

// maxCommand is the longest command in bytes that is taken for one where a line has few other marks of an event. The kernel's
// have up to 15 (TASK_COMM_LEN).
const maxCommand = 32

// timedHeader parses the first line of an event with a time. With threads, a number before the CPU or the time is a thread.
func timedHeader(line string, threads bool) (h perfHeader, ok bool) {
	from, to := findTime(line)
	if from < 0 {
		return h, false
	}
	before, after := line[:from], line[to+1:]
	m := perfAfterTime.FindStringSubmatch(after)
	if m == nil {
		if _, ok := onlyFrame(after); !ok {
			return h, false
		}
		m = []string{"", "", "", after}
	}
	h.timed, h.event, h.rest = true, m[2], strings.TrimRight(m[3], " \t")
	var thread []string
	if threads {
		thread = perfBeforeTime.FindStringSubmatch(before)
	}
	switch {
	case thread != nil:
		ok = h.setThread(thread[1:])
	case len(before) <= maxCommand:
		if thread = perfNoThread.FindStringSubmatch(before); thread != nil {
			h.command, h.pid, h.tid, ok = thread[1], -1, -1, true
			h.threadless = h.command != ""
		}
	}
	return h, ok && h.setPeriod(m[1]) && h.setTime(line[from:to])
}

// findTime returns where the time of an event begins and where the colon after it is, or -1.
func findTime(line string) (from, colon int) {
	isDigit := func(i int) bool { return i >= 0 && line[i] >= '0' && line[i] <= '9' }
	for colon = range len(line) {
		if line[colon] != ':' || !isDigit(colon-1) {
			continue
		}
		point := colon - 1
		for isDigit(point) {
			point--
		}
		if digits := colon - 1 - point; digits < 6 || digits > 9 || line[max(point, 0)] != '.' || !isDigit(point-1) {
			continue
		}
		from = point - 1
		for isDigit(from - 1) {
			from--
		}
		if from == 0 || line[from-1] == ' ' || line[from-1] == '\t' {
			return from, colon
		}
	}
	return -1, -1
}

// untimedHeader parses the first line of an event without a time, as `perf script -F comm,tid,event,ip,sym` and perf up to 3.13
// print it. More than one reading is possible if the command ends in a number: the thread's column has at least 5 characters.
func untimedHeader(line string) (h perfHeader, ok bool) {
	m := perfUntimed.FindStringSubmatchIndex(line)
	if m == nil {
		return h, false
	}
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return line[m[2*i]:m[2*i+1]]
	}
	h.event, h.rest = part(5), strings.TrimRight(part(6), " \t")
	if h.rest != "" && !isTracepoint(h.event) {
		if _, ok := onlyFrame(h.rest); !ok {
			return h, false
		}
	}
	command, tid, period := part(1), part(2), part(4)
	if command != "" && period != "" && part(3) == "" { // "worker 1  7001 cycles:"
		column := m[4] - m[3] - 1 + len(tid)
		between := m[8] - m[5] - 1 + len(period)
		if column < 5 && between < 10 && strings.TrimSpace(line[m[5]:m[8]]) == "" {
			command, tid, period = line[m[2]:m[5]], period, ""
		}
	}
	ok = len(command) <= maxCommand && !strings.HasSuffix(command, ":") && h.setThread([]string{command, tid, part(3)}) && h.setPeriod(period)
	return h, ok
}

// setThread sets the command and the IDs from their texts and reports whether they are valid.
func (h *perfHeader) setThread(fields []string) bool {
	h.command, h.pid = fields[0], -1
	var err1, err2 error
	h.tid, err1 = strconv.ParseInt(fields[1], 10, 64)
	if fields[2] != "" {
		h.pid = h.tid
		h.tid, err2 = strconv.ParseInt(fields[2], 10, 64)
	}
	return err1 == nil && err2 == nil
}

func (h *perfHeader) setPeriod(text string) bool {
	if text == "" {
		h.period = -1
		return true
	}
	var err error
	h.period, err = strconv.ParseInt(text, 10, 64)
	return err == nil
}

// setTime sets the time from seconds with 6 or 9 decimals.
func (h *perfHeader) setTime(text string) bool {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err1 := strconv.ParseInt(whole, 10, 32)
	nanos, err2 := strconv.ParseInt((fraction + "000")[:9], 10, 64)
	h.time = time.Duration(seconds)*time.Second + time.Duration(nanos)
	return err1 == nil && err2 == nil
}
