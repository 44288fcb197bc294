//go:build linux

package golang

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// GuardCommand is the first argument with which this program's executable is started as the guard.
// main must then call RunGuard.
const GuardCommand = "guard"

// guard is a child process that restores runtime.MemProfileRate in other processes if this program
// dies. Both share a socket that keeps packets apart: if it is closed before guardDone was sent,
// this program has died.
type guard struct {
	cmd    *exec.Cmd
	socket *net.UnixConn
}

// The protocol: this program sends each rateWord as a packet of JSON, along with the file of its
// memory if it has one (SCM_RIGHTS, unix(7)), and waits for guardAnswer; at the end it sends
// guardDone.
const (
	guardAnswer = "watched"
	guardDone   = "done"

	guardSocket  = 3                // the guard's descriptor of the socket
	guardTimeout = 10 * time.Second // for an answer
	// maxGuardPacket bounds a packet in bytes. The longest part of a rateWord is the path of the
	// mapping, with at most PATH_MAX bytes, each of which JSON may write as six.
	maxGuardPacket = 32 << 10
)

func startGuard() (*guard, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, guardError(err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "guard"), os.NewFile(uintptr(ends[1]), "guard")
	defer ours.Close() // unixSocket duplicates it
	defer theirs.Close()
	g := &guard{cmd: exec.Command("/proc/self/exe", GuardCommand)}
	// A session of its own: signals from a terminal or a container runtime go to whole process
	// groups.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	g.cmd.ExtraFiles = []*os.File{theirs} // the first becomes guardSocket
	if g.socket, err = unixSocket(ours); err != nil {
		return nil, guardError(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.socket.Close()
		return nil, guardError(err)
	}
	return g, nil
}

func unixSocket(f *os.File) (*net.UnixConn, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("descriptor %d is not a unix socket", f.Fd())
	}
	return socket, nil
}

// guardError adds what the guard is for to an error, which may be nil.
func guardError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the process that restores runtime.MemProfileRate if the profiler dies: %w", err)
}

// watch returns after the guard has taken note of a word.
func (g *guard) watch(w rateWord) error {
	packet, err := json.Marshal(w)
	if err != nil {
		return guardError(err)
	}
	var rights []byte
	if w.memory != nil {
		rights = unix.UnixRights(int(w.memory.File().Fd()))
	}
	if err := g.socket.SetDeadline(time.Now().Add(guardTimeout)); err != nil {
		return guardError(err)
	}
	if _, _, err := g.socket.WriteMsgUnix(packet, rights, nil); err != nil {
		return guardError(err)
	}
	answer := make([]byte, len(guardAnswer))
	n, err := g.socket.Read(answer)
	if err == nil && string(answer[:n]) != guardAnswer {
		err = fmt.Errorf("unexpected answer %q", answer[:n])
	}
	return guardError(err)
}

// dismiss ends the guard. If done is false, the guard first tries to restore all words.
func (g *guard) dismiss(done bool) {
	if done {
		_, _ = g.socket.Write([]byte(guardDone)) // an error means that the guard has died
	}
	g.socket.Close()
	g.cmd.Wait()
}

// RunGuard is the main function of the guard, which startGuard starts. It returns when the socket
// is closed and restores the words it was sent, unless guardDone came last.
func RunGuard() error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // it ends when the socket does
	// The guard must outlive the profiler, which the kernel kills first when memory runs out. With
	// this value it does so even if the kernel kills the whole cgroup (memory.oom.group). It needs
	// CAP_SYS_RESOURCE.
	if os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) != nil {
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	}
	file := os.NewFile(guardSocket, "guard")
	socket, err := unixSocket(file)
	if err != nil {
		return fmt.Errorf("%s is started by the profiler only: %w", GuardCommand, err)
	}
	file.Close()
	defer socket.Close()
	var words []rateWord
	packet, rights := make([]byte, maxGuardPacket), make([]byte, unix.CmsgSpace(4))
	for {
		n, rightsLen, _, _, err := socket.ReadMsgUnix(packet, rights)
		if err != nil || n == 0 {
			break
		}
		if string(packet[:n]) == guardDone {
			return nil
		}
		w, err := parseGuardPacket(packet[:n], rights[:rightsLen])
		if err != nil {
			continue // without an answer the profiler writes nothing
		}
		words = append(words, w)
		if _, err := socket.Write([]byte(guardAnswer)); err != nil {
			break
		}
	}
	var errs []error
	for _, w := range words {
		if err := w.replace(w.New, w.Old); !errors.Is(err, proc.ErrMemoryGone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parseGuardPacket returns the word in a packet, with the file of its memory that came along.
func parseGuardPacket(packet, rights []byte) (w rateWord, err error) {
	if err := json.Unmarshal(packet, &w); err != nil {
		return w, err
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return w, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return w, err
		}
		for _, fd := range fds {
			w.memory = proc.NewAddressSpace(os.NewFile(uintptr(fd), "memory"), w.PID)
		}
	}
	return w, nil
}
