package read

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Byte order marks at the beginning of text (Unicode 16.0, section 23.8).
var (
	utf8Mark    = []byte("\xEF\xBB\xBF")
	utf16leMark = []byte("\xFF\xFE")
	utf16beMark = []byte("\xFE\xFF")
)

// decodedText returns text in UTF-8 without a byte order mark. PowerShell's > writes UTF-16, and editors on Windows write marks.
// Other data is returned unchanged.
func decodedText(data []byte) ([]byte, error) {
	if text, ok := bytes.CutPrefix(data, utf8Mark); ok {
		return text, nil
	}
	if text, ok := bytes.CutPrefix(data, utf16leMark); ok {
		return fromUTF16(text, binary.LittleEndian)
	}
	if text, ok := bytes.CutPrefix(data, utf16beMark); ok {
		return fromUTF16(text, binary.BigEndian)
	}
	if isUTF16(data, 1) {
		return fromUTF16(data, binary.LittleEndian)
	}
	if isUTF16(data, 0) {
		return fromUTF16(data, binary.BigEndian)
	}
	return data, nil
}

// isUTF16 reports whether data begins with 16 ASCII characters in UTF-16, whose high bytes are at even indexes (high 0) or at
// odd ones (1). A profile.proto would begin so only with 16 fields that are empty or 0.
func isUTF16(data []byte, high int) bool {
	const sample = 16 * 2
	if len(data) < sample {
		return false
	}
	for i := 0; i < sample; i += 2 {
		c := data[i+1-high]
		if data[i+high] != 0 || c > '~' || c < ' ' && c != '\t' && c != '\r' && c != '\n' || i == 0 && c <= ' ' {
			return false
		}
	}
	return true
}

// fromUTF16 converts UTF-16 to UTF-8. Halves of characters become U+FFFD.
func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	text := make([]byte, 0, len(data)/2)
	for len(data) >= 2 {
		r := rune(order.Uint16(data))
		data = data[2:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(data) >= 2 {
				low = rune(order.Uint16(data))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				data = data[2:]
			}
		}
		if text = utf8.AppendRune(text, r); len(text) > limits.MaxFile {
			return nil, fmt.Errorf("more than %d MiB in UTF-8: %w", limits.MaxFile>>20, limits.ErrTooLarge)
		}
	}
	return text, nil
}
