package goruntime

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/proc"
)

// GuardCommand is the first argument of the program's own executable as a guard: main must then call Guard.
const GuardCommand = "guard"

// guard is a process of ours that waits at the end of a pipe: when the pipe is closed without a word, the
// one at the other end has died, and the guard does what that one cannot do any more.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startGuard returns when the guard is ready.
func startGuard(target rateWord) (*guard, error) {
	bad := func(err error) (*guard, error) {
		return nil, fmt.Errorf("start the process that restores runtime.MemProfileRate should this one die: %w", err)
	}
	word, err := json.Marshal(target)
	if err != nil {
		return bad(err)
	}
	g := &guard{cmd: exec.Command("/proc/self/exe", GuardCommand, string(word))}
	// A session of its own, for signals of a terminal or a runtime go to whole process groups.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if g.pipe, err = g.cmd.StdinPipe(); err != nil {
		return bad(err)
	}
	ready, err := g.cmd.StdoutPipe()
	if err != nil {
		return bad(err)
	}
	if err := g.cmd.Start(); err != nil {
		return bad(err)
	}
	if line, err := bufio.NewReader(ready).ReadString('\n'); err != nil || line != guardReady {
		g.dismiss()
		return bad(fmt.Errorf("it says %q: %w", line, err))
	}
	return g, nil
}

const (
	guardReady = "ready\n"
	guardDone  = "done\n"
)

// dismiss ends the guard, which then has nothing to do.
func (g *guard) dismiss() {
	io.WriteString(g.pipe, guardDone)
	g.pipe.Close()
	g.cmd.Wait()
}

// Guard is the guard's program. It ends when in does, and restores the word that its argument describes unless it was
// told that this is done.
func Guard(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("one argument is needed")
	}
	var target rateWord
	if err := json.Unmarshal([]byte(args[0]), &target); err != nil {
		return fmt.Errorf("%.200q: %w", args[0], err)
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // the end of the pipe says when
	// Out of memory the profiler is killed first, and its guard must outlive it.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	if _, err := io.WriteString(out, guardReady); err != nil {
		return err
	}
	if said, _ := io.ReadAll(io.LimitReader(in, int64(len(guardDone)))); string(said) == guardDone {
		return nil
	}
	return target.replace(target.New, target.Old)
}

// ended tells whether a process is gone, or another one has its PID.
func ended(pid int, startTime uint64) bool {
	p, err := proc.Open(pid)
	return err != nil || p.StartTime != startTime
}
