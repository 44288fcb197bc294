//go:build linux

package sampling

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/kernel"
)

// ring reads a BPF ring buffer and waits for records in Go's network poller. ringbuf.Reader waits in a system call of its own,
// during which Go's monitor (runtime/proc.go, sysmon) stays awake for 10 ms. That costs more than the samples do.
type ring struct {
	reader *ringbuf.Reader
	file   *os.File // for waiting
	conn   syscall.RawConn
}

// openRing returns a reader of the ring buffer. The caller must close it.
func openRing(m *ebpf.Map) (*ring, error) {
	reader, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, kernel.Explain("open the ring buffer", err)
	}
	r := &ring{reader: reader}
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true) // os.NewFile uses the poller only for such files
		r.file = os.NewFile(uintptr(fd), "ring buffer")
	}
	if err == nil {
		err = r.file.SetReadDeadline(time.Time{}) // fails if the file cannot be waited for
	}
	if err == nil {
		r.conn, err = r.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(kernel.Explain("wait for the ring buffer", err), r.close())
	}
	return r, nil
}

// round calls do, which reads what is in the ring buffer. Unless do returns false, it then waits until the BPF program wakes us,
// interrupt is called, or patience has passed. It may wait less, and not call do, if interrupt was called before.
func (r *ring) round(patience time.Duration, do func() bool) error {
	if err := r.file.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	done := false
	err := r.conn.Read(func(uintptr) bool { // called again when there is something to read
		if done {
			return true
		}
		done = true
		return !do()
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// interrupt ends the wait of a round.
func (r *ring) interrupt() error { return r.file.SetReadDeadline(time.Unix(1, 0)) }

// read calls keep with each record that is in the ring buffer.
func (r *ring) read(record *ringbuf.Record, keep func([]byte)) error {
	r.reader.SetDeadline(time.Unix(1, 0))
	for {
		err := r.reader.ReadInto(record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		keep(record.RawSample)
	}
}

func (r *ring) close() error {
	err := r.reader.Close()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}
