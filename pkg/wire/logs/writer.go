package logs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Budget is the number of bytes that a Writer writes at most. By default kubelets keep 10 MiB of a log, in which each line has a
// timestamp.
const Budget = 8 << 20

// ErrFull means that a block does not fit into the rest of the budget.
var ErrFull = errors.New("the profile does not fit into the container's log")

// Writer writes blocks to a log. Its methods must not be called concurrently.
type Writer struct {
	w     io.Writer
	left  int // bytes left of the budget
	count int // blocks written
}

// NewWriter returns a Writer to the container's stdout.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, left: Budget} }

// Room returns the size, in bytes, of the largest block that can be written now.
func (w *Writer) Room() int {
	lines := (w.left - 512) / (base64.StdEncoding.EncodedLen(perLine) + 64)
	return max(lines, 0) * perLine
}

// Write writes a block with a single call of the underlying Write. It returns ErrFull if the block is larger than Room.
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
