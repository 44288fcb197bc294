//go:build linux

package profiler

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// in runs the profiler in a container's PID namespace, as kubectl debug --target does.
func in(t *testing.T, c container, args ...string) (stdout, stderr *bytes.Buffer, err error) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd := exec.Command("nsenter", append([]string{"--target", fmt.Sprint(c.pid), "--pid", "--mount", program(t, "cmd/profiler")}, args...)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return stdout, stderr, cmd.Run()
}

// recordEnough makes a profile of a second, and longer ones until there are enough samples: on a busy machine the target may
// get hardly any CPU time in a second.
func recordEnough(t *testing.T, enough func(*profile.Profile) bool, c container, args ...string) (p *profile.Profile) {
	t.Helper()
	for seconds := 1; seconds <= 64; seconds *= 4 {
		stdout, stderr, err := in(t, c, append([]string{"record", "--duration", fmt.Sprint(seconds, "s"), "--format", "pprof"}, args...)...)
		if err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		if p, err = profile.ParseData(stdout.Bytes()); err != nil {
			t.Fatal(err)
		}
		if enough(p) {
			break
		}
	}
	return p
}

func samplesOf(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}

func TestRecordFindsTheTarget(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	p := recordEnough(t, func(p *profile.Profile) bool { return samplesOf(p) >= 50 }, target)
	if share := shareOf(p, "main.turnWheel"); share < 0.8 || !hasComment(p, "type: cpu") { // the rest are interrupts
		t.Errorf("main.turnWheel has %.2f of %d samples; comments %q", share, samplesOf(p), p.Comments)
	}
	for format, check := range map[string]func(*testing.T, []byte) (whole bool){
		"svg": func(t *testing.T, data []byte) bool {
			if !bytes.HasSuffix(data, []byte(endMark)) {
				t.Errorf("the end mark is missing in %d bytes", len(data))
			}
			for d := xml.NewDecoder(bytes.NewReader(data)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("not well-formed: %v", err)
				}
			}
			return bytes.Contains(data, []byte("main.turnWheel"))
		},
		"pprof": func(t *testing.T, data []byte) bool {
			p, err := profile.ParseData(data)
			if err != nil {
				t.Fatal(err)
			}
			return shareOf(p, "main.turnWheel") > 0
		},
	} {
		t.Run(format, func(t *testing.T) {
			var stdout, stderr *bytes.Buffer
			found := false
			for seconds := 1; seconds <= 64 && !found; seconds *= 4 { // on a busy machine a second may not be enough
				var err error
				stdout, stderr, err = in(t, target, "record", "--duration", fmt.Sprint(seconds, "s"), "--format", format)
				if err != nil {
					t.Fatalf("%v: %s", err, stderr)
				}
				found = check(t, stdout.Bytes())
			}
			if !found {
				t.Error("main.turnWheel is missing")
			}
			want := fmt.Sprintf("%d bytes, sha-256 %x\n", stdout.Len(), sha256.Sum256(stdout.Bytes()))
			if stderr.String() != want {
				t.Errorf("stderr is %q, want %q", stderr, want)
			}
		})
	}
}

func TestRecordRefuses(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	alone := exec.Command("unshare", "--pid", "--fork", "--mount-proc", program(t, "cmd/profiler"), "record")
	out, err := alone.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "kubectl debug --target=CONTAINER") {
		t.Errorf("as PID 1: %v, %s", err, out)
	}
	out, err = exec.Command("setpriv", "--reuid=1000", "--", program(t, "cmd/profiler"), "record").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs root and runs as user 1000") {
		t.Errorf("as an ordinary user: %v, %s", err, out)
	}
	for _, tc := range []struct{ args, want string }{
		{"record --format gif", `--format "gif" is unknown; the formats are svg`},
		{"record --duration 0s", "--duration 0s: must be above 0"},
		{"record --by color", "--by color: must be thread or goroutine"},
		{"record --frequency 0", "--frequency 0: must be from 1 to 1000"},
	} {
		_, stderr, err := in(t, target, strings.Fields(tc.args)...)
		if err == nil || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("%s: %v, %s; want %q", tc.args, err, stderr, tc.want)
		}
	}
}

func TestRecordOnATerminal(t *testing.T) {
	need.Root(t)
	target := startContainer(t, program(t, "test/workloads/spin"))
	for args, want := range map[string]string{
		"record":              "main.turnWheel",
		"record --format svg": "stdout is a terminal: a table instead of svg",
	} {
		var out []byte
		var err error
		for seconds := 1; seconds <= 64 && err == nil && !strings.Contains(string(out), want); seconds *= 4 { // a busy machine needs longer
			// script runs a command on a terminal of its own.
			inside := fmt.Sprintf("nsenter --target %d --pid --mount %s %s --duration %ds", target.pid, program(t, "cmd/profiler"), args, seconds)
			out, err = exec.Command("script", "--quiet", "--return", "--command", inside, "/dev/null").CombinedOutput()
		}
		if err != nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "<svg") {
			t.Errorf("%s: %v, %s; want %q and no picture", args, err, out, want)
		}
	}
}
