//go:build linux

package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"
)

// A container that attacks its profiler is profiled like any other, and learns nothing.
func TestHostilePod(t *testing.T) {
	for _, kind := range []string{"names", "link", "fifo"} {
		t.Run(kind, func(t *testing.T) {
			ns := namespace(t, "")
			c := container("hostile", "/hostile", kind)
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: quantity("160Mi")} // for the profiler too
			c.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(0))}
			start(t, podOf(ns, "hostile", c))
			dir := t.TempDir()
			files := map[string]string{}
			args := []string{"-n", ns, "--ephemeral", "hostile", "-d", "5s"}
			for _, ending := range []string{".pb.gz", ".svg", ".html", ".txt", ".folded", ".json"} {
				files[ending] = filepath.Join(dir, "profile"+ending)
				args = append(args, "-o", files[ending])
			}
			r := succeed(t, args...)
			p := readProfile(t, files[".pb.gz"])
			expectWhole(t, p)
			var anonymous, sparse bool
			for _, s := range p.Sample {
				if m := s.Location[0].Mapping; m != nil {
					anonymous = anonymous || strings.HasPrefix(m.File, "[anon")
					sparse = sparse || strings.Contains(m.File, "sparse.so")
				}
			}
			if !anonymous || !sparse {
				t.Errorf("generated code was sampled: %v, the sparse file: %v", anonymous, sparse)
			}
			texts := map[string]string{"the terminal": r.stderr}
			for ending, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if ending != ".pb.gz" {
					texts[ending] = string(data)
				}
				if len(data) > 4<<20 {
					t.Errorf("%s has %d bytes", ending, len(data))
				}
			}
			for where, text := range texts {
				if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
					t.Errorf("%s has a control character: %q", where, text[max(0, i-40):min(len(text), i+40)])
				}
				if where != ".json" && where != ".folded" && where != ".txt" && strings.Contains(text, "<script>alert") {
					t.Errorf("%s has markup of the target's", where)
				}
				if strings.Contains(text, "root:x:0:0") {
					t.Errorf("%s has a file that is not the target's", where)
				}
			}
			expectNoEscape(t, ns)
		})
	}
}

// expectNoEscape checks that the hostile container could reach nothing.
func expectNoEscape(t *testing.T, ns string) {
	t.Helper()
	log, err := client.CoreV1().Pods(ns).GetLogs("hostile", &corev1.PodLogOptions{}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	said, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(said), "met /proc/") {
		t.Error("the container did not see the profiler: nothing was tried")
	}
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, "ESCAPED") {
			t.Error(strings.TrimSpace(line))
			break
		}
	}
}
