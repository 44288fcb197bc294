package attach

import "bytes"

// scanner takes calls out of a stream of bytes.
type scanner struct {
	held []byte // what may be the beginning of a call
}

// part is what a scanner found: bytes of a connection, or a call.
type part struct {
	data []byte
	call *nonce
}

// scan takes the next bytes of the stream and gives its parts in their order. Their data is valid until the next scan.
func (s *scanner) scan(p []byte) (parts []part) {
	data := append(s.held, p...)
	for {
		at := bytes.Index(data, []byte(call))
		if at < 0 || len(data)-at < len(call)+len(nonce{}) {
			if at < 0 {
				at = len(data) - beginning(data)
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

// beginning is how many bytes at the end of data a call may begin with.
func beginning(data []byte) int {
	for n := min(len(call)-1, len(data)); n > 0; n-- {
		if string(data[len(data)-n:]) == call[:n] {
			return n
		}
	}
	return 0
}
