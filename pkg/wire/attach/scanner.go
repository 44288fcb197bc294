package attach

import "bytes"

// scanner separates calls from the other bytes of a stream.
type scanner struct {
	held []byte // may be the beginning of a call
}

// part is a piece of the stream: bytes of a connection, or a call.
type part struct {
	data []byte
	call *nonce
}

// scan returns the parts of the next bytes of the stream, in order. Their data is valid until the next call.
func (s *scanner) scan(p []byte) (parts []part) {
	data := append(s.held, p...)
	for {
		at := bytes.Index(data, []byte(call))
		if at < 0 || len(data)-at < len(call)+len(nonce{}) {
			if at < 0 {
				at = len(data) - partialCall(data)
			}
			if at > 0 {
				parts = append(parts, part{data: data[:at]})
			}
			s.held = bytes.Clone(data[at:])
			return parts
		}
		if at > 0 {
			parts = append(parts, part{data: data[:at]})
		}
		n := nonce(data[at+len(call):])
		parts = append(parts, part{call: &n})
		data = data[at+len(call)+len(n):]
	}
}

// partialCall returns how many bytes at the end of data may be the beginning of a call.
func partialCall(data []byte) int {
	for n := min(len(call)-1, len(data)); n > 0; n-- {
		if string(data[len(data)-n:]) == call[:n] {
			return n
		}
	}
	return 0
}
