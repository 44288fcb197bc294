//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// safeBuffer is a buffer that can be read while a command writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// server is a running `kubectl pprof serve`.
type server struct {
	url    string // http://HOST:PORT
	cmd    *exec.Cmd
	stderr *safeBuffer
}

// serve starts `kubectl pprof serve` and waits until it is ready.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	free, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	s := &server{url: "http://localhost:" + port, cmd: command(t, append([]string{"serve", "--port", port}, args...)...), stderr: new(safeBuffer)}
	s.cmd.Stderr = s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	eventually(t, time.Minute, "kubectl pprof serve", func() (bool, string) {
		text := s.stderr.String()
		return strings.Contains(text, "serving http://"), text
	})
	return s
}

// interrupt stops the server with Ctrl-C and checks that it exits with 0.
func (s *server) interrupt(t *testing.T) {
	t.Helper()
	s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v: %s", err, s.stderr)
	}
}

func (s *server) get(t *testing.T, path string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, s.stderr)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// profile requests a profile and fails the test if there is none.
func (s *server) profile(t *testing.T, path string) *profile.Profile {
	t.Helper()
	status, body := s.get(t, path)
	p, err := profile.ParseData(body)
	if status != 200 || err != nil {
		t.Fatalf("%s: status %d, %v: %.300s: %s", path, status, err, body, s.stderr)
	}
	return p
}

// goToolPprof downloads a profile with `go tool pprof`.
func goToolPprof(t *testing.T, url string) *profile.Profile {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.pb.gz")
	tool := exec.Command("go", "tool", "pprof", "-proto", "-output", file, url)
	tool.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	if out, err := tool.CombinedOutput(); err != nil {
		t.Fatalf("go tool pprof: %v: %s", err, out)
	}
	return readProfile(t, file)
}

// Tools can use a program without net/http/pprof as if it had it.
func TestServe(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", ledger("ledger", "-rate=256")))
			s := serve(t, mode, "-n", ns, "web")
			if status, index := s.get(t, "/"); status != 200 || !bytes.Contains(index, []byte("/debug/pprof/profile")) {
				t.Errorf("status %d: %s", status, index)
			}
			if _, cmdline := s.get(t, "/debug/pprof/cmdline"); string(cmdline) != "/ledger\x00-rate=256" {
				t.Errorf("cmdline: %q", cmdline)
			}
			expectFunctions(t, s.profile(t, "/debug/pprof/profile?seconds=2"), []string{books + "Spend"}, nil)

			expectFunctions(t, goToolPprof(t, s.url+"/debug/pprof/profile?seconds=2"), []string{books + "Spend"}, nil)

			if n := valueOf(t, s.profile(t, "/debug/pprof/goroutine"), "goroutine", books+"AwaitOrder"); n != 100 {
				t.Errorf("%d goroutines", n)
			}
			if _, text := s.get(t, "/debug/pprof/goroutine?debug=2"); bytes.Count(text, []byte(books+"AwaitOrder")) != 100 || !bytes.Contains(text, []byte("goroutine 1 [")) {
				t.Errorf("debug=2: %.2000s", text)
			}
			if _, text := s.get(t, "/debug/pprof/goroutine?debug=1"); !bytes.HasPrefix(text, []byte("goroutine profile: total 1")) || !bytes.Contains(text, []byte("\n100 @")) {
				t.Errorf("debug=1: %.2000s", text)
			}
			if status, text := s.get(t, "/debug/pprof/heap"); status != http.StatusConflict || !bytes.Contains(text, []byte("--enable-memprofile")) {
				t.Errorf("heap: status %d: %s", status, text)
			}

			req, _ := http.NewRequest(http.MethodGet, s.url+"/debug/pprof/profile?seconds=1", nil)
			req.Host = "evil.example"
			if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("a request by another name: %v, %v", resp, err)
			}
			s.interrupt(t)
		})
	}
}

// With --enable-memprofile the memory profile is on while `serve` runs, and off afterwards.
func TestServeMemory(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger", "-rate=64")))
	s := serve(t, "-n", ns, "web", "--type", "heap,allocs", "--enable-memprofile", "--memprofile-rate", "65536", "--capabilities")
	eventually(t, time.Minute, "the memory profile to be on", func() (bool, string) {
		status, text := s.get(t, "/debug/pprof/heap")
		return status == 200, string(text)
	})
	for _, path := range []string{"heap", "allocs", "allocs?seconds=3", "heap?seconds=3"} {
		// An allocation appears after the second garbage collection that follows it.
		var bytes int64
		eventually(t, time.Minute, path+" to have 1 MiB allocated by Spend", func() (bool, string) {
			bytes = valueOf(t, s.profile(t, "/debug/pprof/"+path), "alloc_space", books+"Spend")
			return bytes >= mib, fmt.Sprintf("%d bytes", bytes)
		})
		expectBetween(t, path, bytes, mib, 10000*mib)
	}
	p := goToolPprof(t, s.url+"/debug/pprof/heap")
	expectBetween(t, "go tool pprof", valueOf(t, p, "alloc_space", books+"Spend"), mib, 10000*mib)
	if status, _ := s.get(t, "/debug/pprof/profile"); status != http.StatusNotFound {
		t.Errorf("a type that is not served: status %d", status)
	}
	s.interrupt(t)
	refuse(t, []string{"-n", ns, "web", "--type", "heap"}, "runtime.MemProfileRate is 0")
}

// Streams that break are opened again, so that each request gets its response.
func TestServeOverBadConnections(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger")))
	p := startProxy(t)
	p.fault = randomly(7, math.MaxInt, cut)
	s := serve(t, "--kubeconfig", p.kubeconfig, "-n", ns, "web", "--type", "goroutine")
	for i := range 60 {
		if n := valueOf(t, s.profile(t, "/debug/pprof/goroutine"), "goroutine", books+"AwaitOrder"); n != 100 {
			t.Errorf("%d: %d goroutines", i, n)
		}
	}
	if p.faults.Load() == 0 {
		t.Error("nothing was cut")
	}
	t.Logf("%d cuts", p.faults.Load())
	s.interrupt(t)
}

// `serve` ends with the reason when its container ends.
func TestServeEndsWithItsContainer(t *testing.T) {
	ns := namespace(t, "")
	for _, mode := range []string{"ephemeral", "job"} {
		pod := start(t, podOf(ns, mode, ledger("ledger")))
		s := serve(t, "-n", ns, pod.Name, "--"+mode)
		syscall.Kill(mainProcess(t, pod), syscall.SIGKILL)
		if err := s.cmd.Wait(); err == nil || !strings.Contains(s.stderr.String(), `container "ledger" has ended with exit code 137`) {
			t.Errorf("%s: %v: %s", mode, err, s.stderr)
		}
	}
}

func TestServeEnds(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger")))
	s := serve(t, "-n", ns, "web", "--for", "8s")
	begin := time.Now()
	if err := s.cmd.Wait(); err != nil || time.Since(begin) > 2*time.Minute || !strings.Contains(s.stderr.String(), "the time of --for is over") {
		t.Errorf("%v after %v: %s", err, time.Since(begin), s.stderr)
	}
	s = serve(t, "-n", ns, "web")
	deletePod(t, ns, "web")
	if err := s.cmd.Wait(); err == nil || !strings.Contains(s.stderr.String(), "deleted") {
		t.Errorf("%v: %s", err, s.stderr)
	}
}
