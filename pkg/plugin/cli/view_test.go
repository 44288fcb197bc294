package cli

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Pages of a file are served until Ctrl-C, after which the exit code is 0.
func TestView(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	file := filepath.Join(dir, "in.folded")
	if err := os.WriteFile(file, []byte("main;work 7\nmain;idle 3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	stderr, w := io.Pipe()
	signals, ended := make(chan os.Signal, 1), make(chan int, 1)
	go func() {
		ended <- Main([]string{"kubectl-pprof", "view", file, "--focus", "work"}, genericiooptions.IOStreams{In: os.Stdin, Out: w, ErrOut: w}, signals)
		w.Close()
	}()
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, stderr)
	words := strings.Fields(line)
	if !strings.HasPrefix(line, "serving "+file+" on http://127.0.0.1:") || !strings.HasSuffix(line, " until Ctrl-C\n") {
		t.Fatal(line)
	}
	address, token, _ := strings.Cut(words[3], "?")
	answer, err := http.Get(address + "ui/top?" + token)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(page), "work") || strings.Contains(string(page), "idle") {
		t.Errorf("%v, the page has not what was asked for: %.500s", err, page)
	}
	signals <- os.Interrupt
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
