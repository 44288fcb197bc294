//go:build linux

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// One capture is written in several formats. Later the files are listed, converted, filtered and
// compared without a cluster.
func TestOneCaptureInSeveralFormats(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	r := succeed(t, "-n", ns, "web", "-d", "5s", "-o", file("a.svg"), "-o", file("a.pb.gz"), "-o", file("a.png"), "-o", "-")
	for _, name := range []string{"a.svg", "a.pb.gz", "a.png"} {
		if !strings.Contains(r.stderr, "wrote "+file(name)) {
			t.Errorf("not said to be written: %s in\n%s", name, r.stderr)
		}
	}
	if !strings.HasPrefix(r.stdout, "<svg") {
		t.Errorf("stdout: %.100s", r.stdout)
	}
	p := readProfile(t, file("a.pb.gz"))
	expectFunctions(t, p, shopFunctions, nil)

	top := succeed(t, "top", file("a.pb.gz"))
	for _, text := range []string{"pod: " + ns + "/web", "main.priceCart"} {
		if !strings.Contains(top.stdout, text) {
			t.Errorf("top lacks %q:\n%s", text, top.stdout)
		}
	}
	succeed(t, "convert", file("a.pb.gz"), file("b.folded"), file("b.tree"), "--focus", `main\.checkout`)
	folded, err := os.ReadFile(file("b.folded"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(folded) {
		if !bytes.Contains(line, []byte("main.checkout")) {
			t.Errorf("a stack without what was asked for: %s", line)
		}
	}

	// A profile does not differ from itself.
	same := succeed(t, "diff", file("a.pb.gz"), file("a.pb.gz"))
	if !strings.Contains(same.stdout, "no function changed by more than the noise of sampling") {
		t.Errorf("a profile differs from itself:\n%s", same.stdout)
	}
	succeed(t, "diff", file("b.folded"), file("b.folded"), "-o", file("d.svg"), "-o", file("d.pb.gz"))
	difference := readProfile(t, file("d.pb.gz"))
	sum := func(p *profile.Profile) (n int64) {
		for _, s := range p.Sample {
			n += s.Value[0]
		}
		return n
	}
	if got := sum(difference); got != 0 {
		t.Errorf("a profile less itself is %d", got)
	}
}

// A profile records when samples were taken, so that a file can be cut by time, unless the user opts out.
func TestTimes(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	sum := func(p *profile.Profile) (samples, timed int64) {
		for _, s := range p.Sample {
			samples += s.Value[0]
			if len(s.NumLabel["time"]) == 1 && s.NumLabel["time"][0]%10 == 0 {
				timed += s.Value[0]
			}
		}
		return samples, timed
	}

	succeed(t, "-n", ns, "web", "-d", "6s", "--keep", "1m", "-o", file("a.html"), "-o", file("a.pb.gz"))
	all, timed := sum(readProfile(t, file("a.pb.gz")))
	if all == 0 || timed != all {
		t.Errorf("%d of %d samples have a time", timed, all)
	}
	var parts int64
	for _, c := range [][]string{{"--to", "2s"}, {"--from", "2s", "--to", "4s"}, {"--from", "4s"}} {
		succeed(t, append([]string{"convert", file("a.html"), file("part.pb.gz")}, c...)...)
		n, _ := sum(readProfile(t, file("part.pb.gz")))
		if n == 0 || n == all {
			t.Errorf("%v leaves %d samples of %d", c, n, all)
		}
		parts += n
	}
	if parts != all {
		t.Errorf("the parts have %d samples, the whole %d", parts, all)
	}

	succeed(t, "-n", ns, "web", "-d", "2s", "--keep", "0s", "--no-times", "-o", file("b.pb.gz"))
	if all, timed := sum(readProfile(t, file("b.pb.gz"))); all == 0 || timed != 0 {
		t.Errorf("%d of %d samples have a time that was to be left out", timed, all)
	}
	refuse(t, []string{"convert", file("b.pb.gz"), "-", "-f", "text", "--from", "1s"}, "which this profile does not have")
}

// Names of a pod and its container can be longer together than a file name can be. Then the profile
// gets a shortened name. The kubelet's directory NAMESPACE_POD_UID for logs limits the pod's name.
func TestLongPodName(t *testing.T) {
	ns := namespace(t, "")
	pod := podOf(ns, "web", container(strings.Repeat("c", 63), "/spin")) // a label must be shorter than the name
	pod.Name = strings.Repeat("step", 50)
	start(t, pod)
	dir := t.TempDir()
	succeed(t, "-n", ns, pod.Name, "-d", "1s", "-o", dir+"/")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0].Name(), "stepstep") || !strings.HasSuffix(files[0].Name(), ".svg") {
		t.Errorf("got %v, %v, want one picture", files, err)
	}
}
