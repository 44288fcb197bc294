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
)

// GuardCommand is the first argument with which this program's executable is started as the guard.
// main must then call RunGuard.
const GuardCommand = "guard"

// guard is a child process that restores runtime.MemProfileRate in other processes if this program
// dies. It reads from a pipe: if the pipe is closed before guardDone was sent, this program has
// died.
type guard struct {
	cmd     *exec.Cmd
	pipe    io.WriteCloser
	answers *bufio.Reader
}

// The protocol: this program sends each rateWord as a line of JSON and waits for guardAnswer; at
// the end it sends guardDone.
const (
	guardAnswer = "watched\n"
	guardDone   = "done\n"
)

func startGuard() (*guard, error) {
	g := &guard{cmd: exec.Command("/proc/self/exe", GuardCommand)}
	// A session of its own: signals from a terminal or a container runtime go to whole process
	// groups.
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
	return fmt.Errorf("the process that restores runtime.MemProfileRate if the profiler dies: %w", err)
}

// watch returns after the guard has taken note of a word.
func (g *guard) watch(w rateWord) error {
	if err := json.NewEncoder(g.pipe).Encode(w); err != nil {
		return guardError(err)
	}
	if line, err := g.answers.ReadString('\n'); err != nil || line != guardAnswer {
		return guardError(fmt.Errorf("unexpected answer %q: %w", line, err))
	}
	return nil
}

// dismiss ends the guard. If done is false, the guard first tries to restore all words.
func (g *guard) dismiss(done bool) {
	if done {
		io.WriteString(g.pipe, guardDone)
	}
	g.pipe.Close()
	g.cmd.Wait()
}

// RunGuard is the main function of the guard. It returns at the end of in and restores the words it
// was sent, unless in ended with guardDone.
func RunGuard(in io.Reader, out io.Writer) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // it ends when the pipe does
	// The guard must outlive the profiler, which the kernel kills first when memory runs out. With
	// this value it does so even if the kernel kills the whole cgroup (memory.oom.group). It needs
	// CAP_SYS_RESOURCE.
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
			continue // cut off: the profiler died before it wrote anything to the process
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
