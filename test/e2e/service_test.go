//go:build linux

package e2e

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

var shopFunctions = []string{"main.priceCart", "main.signSession", "main.rankOffers", "main.checkout"}

// A profile of a stripped, FROM scratch, non-root service agrees with the one that runtime/pprof
// takes inside of it in the same ten seconds.
func TestServiceAgreesWithItsOwnProfile(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			// Several customers keep all CPUs busy: the more samples, the less noise in
			// the shares.
			busy := shop()
			busy.Command = []string{"/shop", "-customers=4"}
			start(t, podOf(ns, "web", busy))

			type answer struct {
				p   *profile.Profile
				err error
			}
			own := make(chan answer, 1)
			go func() {
				raw, err := client.CoreV1().Pods(ns).ProxyGet("http", "web", "8080", "profile",
					map[string]string{"seconds": "10"}).DoRaw(t.Context())
				if err != nil {
					own <- answer{err: err}
					return
				}
				p, err := profile.ParseData(raw)
				own <- answer{p, err}
			}()
			ours, _ := profileOf(t, mode, "-n", ns, "web", "-d", "10s", "--frequency", "499")
			inside := <-own
			if inside.err != nil {
				t.Fatal(inside.err)
			}

			expectFunctions(t, ours, shopFunctions, nil)
			expectComplete(t, ours, 10*time.Second)
			a, b := cumulative(ours), cumulative(inside.p)
			for _, name := range shopFunctions {
				t.Logf("%-18s outside %5.1f %%, inside %5.1f %%", name, 100*a[name], 100*b[name])
				if math.Abs(a[name]-b[name]) > 0.05 {
					t.Errorf("%s: %.1f %% seen from outside, %.1f %% by runtime/pprof; more than 5 points apart",
						name, 100*a[name], 100*b[name])
				}
			}
		})
	}
}

// expectComplete checks the parts that every profile has besides its samples.
func expectComplete(t *testing.T, p *profile.Profile, d time.Duration) {
	t.Helper()
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	if len(p.SampleType) != 2 || p.SampleType[0].Type != "samples" || p.SampleType[0].Unit != "count" ||
		p.SampleType[1].Type != "cpu" || p.SampleType[1].Unit != "nanoseconds" {
		t.Errorf("sample types: %v", p.SampleType)
	}
	if got := time.Duration(p.DurationNanos); got < d || got > d+time.Minute {
		t.Errorf("duration %v, asked for %v", got, d)
	}
	comments := strings.Join(p.Comments, "\n")
	for _, key := range []string{"pod: ", "container: ", "node: ", "image: ", "frequency: ", "lost samples: "} {
		if !strings.Contains(comments, key) {
			t.Errorf("comments lack %q: %q", key, comments)
		}
	}
	withID := 0
	for _, m := range p.Mapping {
		if m.BuildID != "" {
			withID++
		}
	}
	if withID == 0 {
		t.Errorf("no mapping has a build ID: %v", p.Mapping)
	}
}

// By default the plugin writes an SVG, named after pod and container, to the working directory and
// prints a summary.
func TestDefaultIsAnSVGAndASummary(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	cmd := command(t, "--ephemeral", ns, "web", "shop", "-d", "3s")
	r := finish(t, cmd)
	if r.code != 0 {
		t.Fatal(r)
	}
	files, _ := filepath.Glob(filepath.Join(cmd.Dir, "web-shop-cpu-*.svg"))
	if len(files) != 1 {
		entries, _ := os.ReadDir(cmd.Dir)
		t.Fatalf("want one web-shop-cpu-*.svg, have %v: %v", entries, r)
	}
	svg, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	expectXML(t, svg)
	for _, name := range shopFunctions {
		if !bytes.Contains(svg, []byte(name)) {
			t.Errorf("the SVG lacks %s", name)
		}
	}
	p, err := render.Read(bytes.NewReader(svg))
	if err != nil {
		t.Fatalf("the profile in the SVG: %v", err)
	}
	for _, name := range shopFunctions {
		if !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return f.Name == name }) {
			t.Errorf("the profile in the SVG lacks %s", name)
		}
	}
	if !slices.Contains(p.Comments, "pod: "+ns+"/web") {
		t.Errorf("the profile in the SVG does not name its pod: %q", p.Comments)
	}
	expectTexts(t, r, filepath.Base(files[0]), "main.priceCart")
	if r.stdout != "" {
		t.Errorf("stdout should be empty when the result goes to a file: %v", r)
	}
}

func expectXML(t *testing.T, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed XML: %v", err)
		}
	}
}

// Every format can be chosen by flag and by file extension, and written to stdout.
func TestFormats(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	for name, c := range map[string]struct {
		args   []string
		prefix string
		text   string
	}{
		"svg":    {[]string{"-f", "svg"}, "<", "main.priceCart"},
		"html":   {[]string{"-f", "html"}, "<!DOCTYPE html>", "main.priceCart"},
		"pprof":  {[]string{"-f", "pprof"}, "\x1f\x8b", ""},
		"folded": {[]string{"-f", "folded"}, "", "main.checkout;main.priceCart "},
		"json":   {[]string{"--json"}, "{", "main.priceCart"},
		"text":   {[]string{"-f", "text"}, "", "main.priceCart"},
	} {
		t.Run(name, func(t *testing.T) {
			r := succeed(t, append(c.args, "--ephemeral", "-n", ns, "web", "-d", "2s", "-o", "-")...)
			if !strings.HasPrefix(r.stdout, c.prefix) || !strings.Contains(r.stdout, c.text) {
				t.Errorf("want prefix %q and %q in it: %.300q", c.prefix, c.text, r.stdout)
			}
		})
	}
	t.Run("by ending, into a new directory", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "new", "dir", "web.folded")
		succeed(t, "--ephemeral", "-n", ns, "web", "-d", "2s", "-o", file)
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(data, []byte(";main.priceCart ")) {
			t.Errorf("%v: %.300q", err, data)
		}
	})
}
