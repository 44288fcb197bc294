package logs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Budget is how many bytes a Writer writes: kubelets keep 10 MiB of a log unless told otherwise, each line of which has
// a stamp of its time.
const Budget = 8 << 20

// ErrFull says that a block does not fit into what is left of the budget.
var ErrFull = errors.New("the profile does not fit into the container's log")

// Writer writes blocks to a log. Its methods must not be called at once.
type Writer struct {
	w     io.Writer
	left  int // of the budget, in bytes
	count int // of blocks
}

// NewWriter makes a Writer of the container's stdout.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, left: Budget} }

// Room is how many bytes of data a block may have that is written now.
func (w *Writer) Room() int {
	lines := (w.left - 512) / (base64.StdEncoding.EncodedLen(perLine) + 64)
	return max(lines, 0) * perLine
}

// Write writes a block, in one go, or nothing of it if that is more than Room.
func (w *Writer) Write(kind string, data []byte) error {
	if len(data) > w.Room() {
		return ErrFull
	}
	lines := (len(data) + perLine - 1) / perLine
	w.count++
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s%d 0/%d %s %d %x\n", prefix, w.count, lines, kind, len(data), sha256.Sum256(data))
	for i := range lines {
		part := data[i*perLine : min((i+1)*perLine, len(data))]
		fmt.Fprintf(&text, "%s%d %d/%d %s\n", prefix, w.count, i+1, lines, base64.StdEncoding.EncodeToString(part))
	}
	w.left -= text.Len()
	_, err := w.w.Write(text.Bytes())
	return err
}
