package embed

import (
	"encoding/binary"
	"errors"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// writer appends numbers to columns. Strings are added to a table, and their index is written.
type writer struct {
	buf     []byte
	strings map[string]uint64
	table   []string
}

func newWriter() *writer {
	return &writer{strings: map[string]uint64{"": 0}, table: []string{""}}
}

func (w *writer) uint(v uint64) { w.buf = binary.AppendUvarint(w.buf, v) }
func (w *writer) int(v int64)   { w.buf = binary.AppendVarint(w.buf, v) }

// index returns the index of a string in the table, to which it adds new ones.
func (w *writer) index(s string) uint64 {
	i, ok := w.strings[s]
	if !ok {
		i = uint64(len(w.table))
		w.strings[s], w.table = i, append(w.table, s)
	}
	return i
}

func (w *writer) string(s string) { w.uint(w.index(s)) }

func (w *writer) flag(b bool) {
	if b {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

// finish returns the table of strings followed by all columns.
func (w *writer) finish() []byte {
	out := binary.AppendUvarint(nil, uint64(len(w.table)))
	for _, s := range w.table {
		out = binary.AppendUvarint(out, uint64(len(s)))
	}
	for _, s := range w.table {
		out = append(out, s...)
	}
	return append(out, w.buf...)
}

// delta encodes a number as the difference to the number before plus step, so that a column that counts up by step becomes zeros.
// Sums wrap around, so all numbers can be encoded.
type delta struct{ last, step uint64 }

func (d *delta) write(w *writer, v uint64) {
	w.int(int64(v - d.last - d.step))
	d.last = v
}

func (d *delta) read(r *reader) uint64 {
	d.last += uint64(r.int()) + d.step
	return d.last
}

var (
	errShort  = errors.New("a column ends too early")
	errNumber = errors.New("a number is out of its range")
)

// reader reads columns. After the first error all numbers are 0. Numbers are checked before they are used as an index or a size.
type reader struct {
	buf    []byte
	err    error
	table  []string
	budget limits.Budget // of the profile that is read
	sets   limits.Budget // of the distinct sets of labels
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.buf = nil
}

// charged reports whether a budget is not exceeded by what was charged last. If it is, reading fails.
func (r *reader) charged(b *limits.Budget) bool {
	if err := b.Err(); err != nil {
		r.fail(err)
	}
	return r.err == nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// count reads a number of rows. It is at most the number of bytes left, because each row takes at least one. So no table is
// allocated that the data cannot fill.
func (r *reader) count() int { return r.below(min(uint64(len(r.buf)), maxRows) + 1) }

// below reads a number smaller than n.
func (r *reader) below(n uint64) int { return r.check(r.uint(), n) }

// check returns v if it is smaller than n.
func (r *reader) check(v, n uint64) int {
	if v >= n {
		r.fail(errNumber)
		return 0
	}
	return int(v)
}

func (r *reader) flag() bool { return r.below(2) == 1 }

func (r *reader) string() string { return r.stringAt(r.uint()) }

func (r *reader) stringAt(i uint64) string {
	if i >= uint64(len(r.table)) {
		r.fail(errNumber)
		return ""
	}
	return r.table[i]
}

func (r *reader) readTable() {
	n := r.count()
	if r.budget.Strings(n); !r.charged(&r.budget) {
		return
	}
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = r.below(uint64(len(r.buf)) + 1)
		if lengths[i] > limits.MaxString {
			r.fail(errNumber)
		}
	}
	r.table = make([]string, len(lengths))
	for i, n := range lengths {
		if n > len(r.buf) {
			r.fail(errShort)
			return
		}
		r.table[i], r.buf = string(r.buf[:n]), r.buf[n:]
	}
	if len(r.table) == 0 || r.table[0] != "" {
		r.fail(errNumber)
	}
}
