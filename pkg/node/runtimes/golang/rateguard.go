//go:build linux

package golang

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

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// GuardCommand is the first argument of the program's own executable as a guard: main must then call Guard.
const GuardCommand = "guard"

// guard is a process of ours that waits at the end of a pipe: when the pipe is closed without a word, the
// one at the other end has died, and the guard does what that one cannot do any more.
type guard struct {
	cmd     *exec.Cmd
	pipe    io.WriteCloser
	answers *bufio.Reader
}

// What is said on the pipes: a line of JSON for each word to be watched, an answer to each, and the dismissal.
const (
	guardAnswer = "watched\n"
	guardDone   = "done\n"
)

func startGuard() (*guard, error) {
	g := &guard{cmd: exec.Command("/proc/self/exe", GuardCommand)}
	// A session of its own, for signals of a terminal or a runtime go to whole process groups.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := g.cmd.StdinPipe()
	if err != nil {
		return nil, guardError(err)
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, guardError(err)
	}
	g.pipe, g.answers = in, bufio.NewReader(out)
	if err := g.cmd.Start(); err != nil {
		return nil, guardError(err)
	}
	return g, nil
}

func guardError(err error) error {
	return fmt.Errorf("the process that restores runtime.MemProfileRate should this one die: %w", err)
}

// watch returns when the guard has noted a word.
func (g *guard) watch(w rateWord) error {
	if err := json.NewEncoder(g.pipe).Encode(w); err != nil {
		return guardError(err)
	}
	if line, err := g.answers.ReadString('\n'); err != nil || line != guardAnswer {
		return guardError(fmt.Errorf("it says %q: %w", line, err))
	}
	return nil
}

// dismiss ends the guard, which then has nothing to do if all is done, and else maxReadings what is left.
func (g *guard) dismiss(done bool) {
	if done {
		io.WriteString(g.pipe, guardDone)
	}
	g.pipe.Close()
	g.cmd.Wait()
}

// RunGuard is the guard's program. It ends when in does, and restores the words that it was told of unless it was
// told that this is done.
func RunGuard(in io.Reader, out io.Writer) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // the end of the pipe says when
	// Out of memory the profiler is killed first, and its guard must outlive it, also where the kernel kills all of a
	// container but those with this value (memory.oom.group). It takes CAP_SYS_RESOURCE.
	if os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) != nil {
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	}
	var words []rateWord
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text()+"\n" == guardDone {
			return nil
		}
		var w rateWord
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			continue // the end came in the middle of it, and so before anything was written
		}
		words = append(words, w)
		if _, err := io.WriteString(out, guardAnswer); err != nil {
			break
		}
	}
	var errs []error
	for _, w := range words {
		errs = append(errs, w.replace(w.New, w.Old))
	}
	return errors.Join(errs...)
}

// ended tells whether a process is gone, or another one has its PID.
func hasEnded(pid int, startTime uint64) bool {
	p, err := proc.Open(pid)
	return err != nil || p.StartTime != startTime
}
