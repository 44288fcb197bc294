package read

import (
	"bytes"
	"regexp"
	"strings"
)

// Widths of the columns in the output of perf script (perf_sample__fprintf_start and sample__fprintf_callchain in
// tools/perf, Linux 6.17).
const (
	perfAddressWidth = 16 // of the address of a frame
	perfThreadWidth  = 5
	perfPeriodWidth  = 10
)

// startsFrame reports whether a text begins with a frame as perf prints it: a tab and an address, aligned to the right. Hardly
// anything else begins so, thus the line before it is the first one of an event whatever its fields are.
func startsFrame(text []byte) bool {
	if len(text) <= perfAddressWidth || text[0] != '\t' {
		return false
	}
	address := bytes.TrimLeft(text[1:1+perfAddressWidth], " ")
	if len(address) == 0 || hexDigits(string(address)) < len(address) {
		return false
	}
	rest := text[1+perfAddressWidth:]
	return len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0
}

var (
	perfLastCPU    = regexp.MustCompile(`\s+\[\d+\]$`)
	perfLastEvent  = regexp.MustCompile(`^(.*?)([A-Za-z_]\S*|raw 0x[0-9a-f]+\S*):$`)
	perfTracepoint = regexp.MustCompile(`^(|.*?\s)([A-Za-z_][\w-]*:\w+):(?:\s+(.*))?$`)
	perfLastNumber = regexp.MustCompile(`^(|.*?\S)(\s*)(-?\d+)(?:/(-?\d+))?$`)
)

// bareHeader parses the first line of an event that has neither a time nor, perhaps, an event or a thread, as with `-F comm,ip,sym`.
// The caller knows from the line after it that it is one. Numbers are told apart by the widths of their columns, because
// commands may end in a number.
func bareHeader(line string) (h perfHeader, ok bool) {
	h.pid, h.tid, h.period = -1, -1, -1
	text := strings.TrimRight(line, " \t")
	if m := perfTracepoint.FindStringSubmatch(text); m != nil {
		text, h.event, h.rest = strings.TrimRight(m[1], " \t"), m[2], m[3]
	} else if m := perfLastEvent.FindStringSubmatch(text); m != nil {
		text, h.event = strings.TrimRight(m[1], " \t"), m[2]
	}
	if m := perfLastNumber.FindStringSubmatch(text); m != nil && h.event != "" && m[4] == "" && columnWidth(m[2], m[3]) >= perfPeriodWidth {
		if !h.setPeriod(m[3]) {
			return h, false
		}
		text = m[1]
	}
	text = perfLastCPU.ReplaceAllString(text, "")
	if m := perfLastNumber.FindStringSubmatch(text); m != nil && (m[4] != "" || m[1] == "" || columnWidth(m[2], m[3]) >= perfThreadWidth) {
		return h, len(m[1]) <= maxCommand && h.setThread([]string{strings.TrimSpace(m[1]), m[3], m[4]})
	}
	h.command = strings.TrimSpace(text)
	h.threadless = h.command != ""
	return h, len(text) <= maxCommand
}

// columnWidth returns the width of a column with a number and the blanks before it, one of which separates columns.
func columnWidth(blanks, number string) int { return max(len(blanks)-1, 0) + len(number) }
