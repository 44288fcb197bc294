package read

import "bytes"

// cutLine returns the first line without its end, and what follows it.
func cutLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte("\n"))
	return bytes.TrimRight(line, "\r"), rest
}

// survey finds out whether the events at the beginning of the file have threads: the number at the end of "worker 1" is none if
// other commands stand without a number.
func (r *perfReader) survey(data []byte) {
	bare := false    // an event without a time has no thread
	separate := true // from other events
	for rest := data[:min(len(data), perfSearch)]; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		afterBlank := separate
		if separate = len(bytes.TrimSpace(line)) == 0; separate || line[0] == '#' || line[0] == '\t' || bytes.Contains(line, []byte("PERF_RECORD_")) {
			continue
		}
		stack := startsFrame(rest)
		if h, ok := timedHeader(string(line), true); ok {
			r.timed = true
			r.threadless = r.threadless || h.threadless && (stack || h.rest != "")
		} else if !r.timed && !bare {
			if stack && afterBlank {
				h, ok = bareHeader(string(line))
			} else if !stack {
				h, _, ok = bareInLine(string(line))
			}
			bare = ok && h.threadless
		}
	}
	r.threadless = r.threadless || bare && !r.timed
}
