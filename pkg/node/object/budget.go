package object

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/clean"
)

// Limits on what one object may cost. They hold for everything that is read of it, and for
// decompression and loops over its tables.
const (
	// maxBytes limits the bytes that are read. Reading some of them again counts again. The largest
	// Go program that was measured, of 700 MB, needs 61 MiB for its unwind table and 1.1 GiB for
	// the names of 20,000 addresses, most of it pages of which a few bytes are used. This much takes
	// 1 to 2 s.
	maxBytes = 4 << 30
	// The limits grow while the object is open, because the tables of a running program may be in
	// use for hours.
	bytesPerSecond    = 64 << 20
	stepsPerSecond    = 1 << 20
	readTimePerSecond = time.Second / 10
	// bytesPerRead is what a read counts in addition to its bytes: a system call takes as long as
	// copying about this much.
	bytesPerRead = 1 << 10
	// maxSteps limits the steps of loops: entries, instructions, rows, symbols and relocations.
	// Those of Rust's libLLVM, of 200 MB, need 7 million. This many take about 1 s.
	maxSteps = 32 << 20
	// maxReadTime limits the time in which reads wait for the file. A disk with 30 MB/s reads 900 MB
	// in that time.
	maxReadTime = 30 * time.Second
)

// budget counts what an object has cost. Once a limit is exceeded, every further read and step
// fails with the same error. A nil budget has no limits.
type budget struct {
	object   string // its name for messages
	opened   time.Time
	bytes    atomic.Int64
	steps    atomic.Int64
	waited   atomic.Int64 // nanoseconds in reads
	exceeded atomic.Pointer[error]
}

// newBudget returns the budget of the object in r. Its errors have the path if r has one.
func newBudget(r io.ReaderAt) *budget {
	b := &budget{object: "object", opened: time.Now()}
	if f, ok := r.(interface{ Path() string }); ok {
		b.object = shown(f.Path())
	}
	return b
}

// maxPath is the limit on a path in messages, in bytes. Of a longer one, the end is kept.
const maxPath = 256

// shown returns a path as it is shown in a message.
func shown(path string) string {
	if len(path) > maxPath {
		path = "…" + path[len(path)-maxPath:]
	}
	return clean.Text(path)
}

// err returns the error of the first limit that was exceeded, or nil.
func (b *budget) err() error {
	if b == nil {
		return nil
	}
	if err := b.exceeded.Load(); err != nil {
		return *err
	}
	return nil
}

// fail records the error of a limit and returns the first that was recorded.
func (b *budget) fail(format string, arguments ...any) error {
	err := fmt.Errorf("%s: "+format, append([]any{b.object}, arguments...)...)
	b.exceeded.CompareAndSwap(nil, &err)
	return b.err()
}

// addSteps counts n steps.
func (b *budget) addSteps(n int) error {
	if b == nil {
		return nil
	}
	// Reading the clock takes longer than a step.
	if steps := b.steps.Add(int64(n)); steps > maxSteps && steps > maxSteps+b.growth(stepsPerSecond) {
		return b.fail("its tables take more than %d million steps", maxSteps>>20)
	}
	return b.err()
}

// addBytes counts n bytes that are read or decompressed.
func (b *budget) addBytes(n int64) error {
	if b == nil {
		return nil
	}
	if read := b.bytes.Add(n); read > maxBytes && read > maxBytes+b.growth(bytesPerSecond) {
		return b.fail("more than %d MiB were read of it", maxBytes>>20)
	}
	return b.err()
}

// growth returns how much a limit that grows has grown since the object was opened.
func (b *budget) growth(perSecond float64) int64 {
	return int64(time.Since(b.opened).Seconds() * perSecond)
}

// addWait counts the time of a read.
func (b *budget) addWait(d time.Duration) error {
	if b == nil {
		return nil
	}
	if waited := b.waited.Add(int64(d)); waited > int64(maxReadTime) && waited > int64(maxReadTime)+b.growth(float64(readTimePerSecond)) {
		return b.fail("reading it took more than %v", maxReadTime)
	}
	return nil
}

// reader is what all reads of an object go through, those of libraries included.
type reader struct {
	source io.ReaderAt
	budget *budget
}

// ReadAt reads from the file unless the object has exceeded a limit.
func (r *reader) ReadAt(b []byte, offset int64) (int, error) {
	if err := r.budget.addBytes(int64(len(b)) + bytesPerRead); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := r.source.ReadAt(b, offset)
	if late := r.budget.addWait(time.Since(began)); late != nil {
		return n, late
	}
	return n, err
}

// limited reads at most limit bytes of an object, from source. It is for libraries that keep in memory
// what they read.
type limited struct {
	file        *File
	source      io.ReaderAt
	limit, left int64
}

func (l *limited) ReadAt(b []byte, offset int64) (int, error) {
	if int64(len(b)) > l.left {
		return 0, l.file.Errorf("more than %d bytes are needed, the limit for this use", l.limit)
	}
	l.left -= int64(len(b))
	return l.source.ReadAt(b, offset)
}
