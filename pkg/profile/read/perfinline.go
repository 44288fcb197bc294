package read

import (
	"regexp"
	"strings"
)

// Events that were recorded without stacks have their only frame in their line, among other fields.
var (
	// perfAligned matches the fields before a frame whose address is in its column, and the frame.
	perfAligned = regexp.MustCompile(`^(|.*?\s)([ 0-9a-f]{16} \S.*)$`)

	// perfAmongFields matches a frame with other fields before or behind it.
	perfAmongFields = regexp.MustCompile(`^(?:.*\s)?([0-9a-f]{4,16} (?:[^\s|][^|]*\+0x[0-9a-f]+|\[unknown\]) \(.*\))(?:\s+[^)]*)?$`)

	// perfInstruction matches the fields insn and ilen behind a frame.
	perfInstruction = regexp.MustCompile(`\s+(?:insn|ilen): [\da-f ]*$`)
)

// minAligned is the number of digits that the address of a frame has at least if it is recognised by its column.
const minAligned = 6

// onlyFrame parses a frame that is all that follows the event or the time.
func onlyFrame(text string) (f perfFrame, ok bool) {
	text = perfInstruction.ReplaceAllString(text, "")
	if f, ok = parseFrame(text, true); ok {
		return f, true
	}
	fields, f, ok := cutAligned(text)
	return f, ok && strings.TrimSpace(fields) == ""
}

// frameInLine returns the frame in the line of an event. The text of a tracepoint may look like one, but for the path.
func frameInLine(h perfHeader) (f perfFrame, ok bool) {
	if isTracepoint(h.event) {
		f, ok = parseFrame(h.rest, true)
		return f, ok && (f.file[0] == '/' || f.file[0] == '[')
	}
	if m := perfAmongFields.FindStringSubmatch(h.rest); m != nil {
		return parseFrame(m[1], true)
	}
	return onlyFrame(h.rest)
}

// bareInLine parses an event without a time, and perhaps without other fields, that has its only frame in its line.
func bareInLine(line string) (h perfHeader, f perfFrame, ok bool) {
	fields, f, ok := cutAligned(perfInstruction.ReplaceAllString(line, ""))
	if ok {
		h, ok = bareHeader(fields)
	}
	return h, f, ok && h.rest == ""
}

// cutAligned splits a line before a frame whose address is in a column of its own.
func cutAligned(line string) (fields string, f perfFrame, ok bool) {
	m := perfAligned.FindStringSubmatch(line)
	if m == nil {
		return "", f, false
	}
	address := strings.TrimLeft(m[2][:perfAddressWidth], " ")
	if strings.Contains(address, " ") || len(address) < minAligned || strings.Contains(m[1], ";") {
		return "", f, false // folded stacks with aligned numbers, for example
	}
	f, _ = parseFrame(m[2], false)
	return m[1], f, (f.name != "" || f.file != "") && !strings.Contains(f.name, "|")
}
