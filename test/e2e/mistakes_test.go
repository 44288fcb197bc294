//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A mistake is reported within seconds, in one sentence, and leaves nothing behind.
func TestMistakes(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop(), container("spinner", "/spin", "-threads=0", "-listen=:8090")))
	pending := podOf(ns, "pending", container("app", "/spin"))
	pending.Spec.NodeSelector = map[string]string{"no": "such-node"}
	create(t, pending)
	create(t, podOf(ns, "completed", container("app", "/initd"))) // exits at once, with a usage message
	waiting := container("app", "/spin")
	waiting.Image = "localhost/no/such:image"
	waiting.ImagePullPolicy = corev1.PullNever
	create(t, podOf(ns, "waiting", waiting))
	for _, name := range []string{"completed", "waiting"} {
		eventually(t, 2*time.Minute, name, func() (bool, string) {
			s := getPod(t, ns, name).Status
			if len(s.ContainerStatuses) == 0 {
				return false, string(s.Phase)
			}
			state := s.ContainerStatuses[0].State
			return state.Terminated != nil || state.Waiting != nil && state.Waiting.Reason == "ErrImageNeverPull", fmt.Sprintf("%+v", state)
		})
	}

	for name, c := range map[string]struct {
		args  []string
		texts []string
	}{
		"pod missing":            {[]string{"wob"}, []string{`"wob"`, "not found"}},
		"deployment missing":     {[]string{"deploy/wob"}, []string{`"wob"`, "not found"}},
		"pod pending":            {[]string{"pending"}, []string{"pending", "Pending"}},
		"pod completed":          {[]string{"completed"}, []string{"completed"}},
		"container missing":      {[]string{"web", "-c", "nope"}, []string{`"nope"`, "shop", "spinner"}},
		"container waiting":      {[]string{"waiting"}, []string{"waiting", "ErrImageNeverPull"}},
		"type unknown":           {[]string{"web", "--type", "gpu"}, []string{`"gpu"`, "cpu"}},
		"format unknown":         {[]string{"web", "--format", "bmp"}, []string{`"bmp"`, "svg", "pprof", "folded", "json", "text"}},
		"frequency out of range": {[]string{"web", "--frequency", "5000"}, []string{"5000", "1000"}},
		"frequency of heap":      {[]string{"web", "--type", "heap", "--frequency", "500"}, []string{"--frequency", "heap"}},
		"times of heap":          {[]string{"web", "--type", "heap,goroutine", "--no-times"}, []string{"--no-times", "heap,goroutine"}},
		"port after a space":     {[]string{"web", "--from-endpoint", "6061"}, []string{"--from-endpoint=6061"}},
		"port that is empty":     {[]string{"web", "--from-endpoint="}, []string{"--from-endpoint=", "port"}},
		"two modes":              {[]string{"web", "--ephemeral", "--job"}, []string{"ephemeral", "job"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := refuse(t, append([]string{"-n", ns, "-d", "1s"}, c.args...), c.texts...)
			if r.took > time.Minute {
				t.Errorf("took %v to be refused", r.took)
			}
		})
	}
	if n := len(getPod(t, ns, "web").Spec.EphemeralContainers); n != 0 {
		t.Errorf("refused runs added %d ephemeral containers", n)
	}
}

// The error for an image that cannot be pulled is the kubelet's reason, not a time-out.
func TestImageThatCannotBePulled(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", shop()))
			r := refuse(t, []string{mode, "-n", ns, "web", "-d", "1s", "-i", "127.0.0.1:1/no/such:image"}, "127.0.0.1:1/no/such:image", "Pull")
			if r.took > time.Minute {
				t.Errorf("took %v to be reported", r.took)
			}
		})
	}
}

func TestUnwritableOutput(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, []string{"-n", ns, "web", "-d", "1s", "-o", filepath.Join(file, "below.svg")}, file)
	refuse(t, []string{"-n", ns, "web", "-d", "1s", "-o", "/proc/no.svg"}, "/proc/no.svg")
	if n := len(getPod(t, ns, "web").Spec.EphemeralContainers); n != 0 {
		t.Errorf("%d ephemeral containers were added before the output was refused", n)
	}
}

func TestUnreachableAPIServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	r := refuse(t, []string{"--server", "https://" + closed, "web"}, closed)
	if r.took > time.Minute {
		t.Errorf("took %v", r.took)
	}
}
