package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

func fileNameOf(pod, container string, typ api.ProfileType) string {
	t := &target.Target{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod}}, Container: container}
	return fileName(t, &session.Result{Request: api.Request{Type: typ}, Profile: &profile.Profile{}})
}

func TestFileName(t *testing.T) {
	for pod, want := range map[string]string{
		"web-5d9c7b4f6-x2x8v": "web-5d9c7b4f6-x2x8v-app-cpu-",
		"web.example.org":     "web.example.org-app-cpu-",
		"../escaped":          "_escaped-",
		"..":                  "-",
		".hidden":             "hidden-",
		`a\b:c`:               "a_b_c-",
		"x\x1b[2J\n":          "x__2J_-",
		"":                    "-",
	} {
		got := fileNameOf(pod, "app", api.CPU)
		if !strings.HasPrefix(got, want) || filepath.Base(got) != got || got[0] == '.' {
			t.Errorf("pod %q: %q, want a name that starts with %q", pod, got, want)
		}
	}
}

func TestLongFileNames(t *testing.T) {
	long := strings.Repeat("step", 63)
	types, err := api.ParseTypes(api.TypeNames())
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		for _, format := range render.Formats() {
			name := fileNameOf(long, strings.Repeat("c", 63), typ) + format.Ending()
			if len(name) > 255 {
				t.Errorf("%d bytes: %s", len(name), name)
			}
		}
	}
	if a, b := fileNameOf(long+"a", "app", api.CPU), fileNameOf(long+"b", "app", api.CPU); a == b {
		t.Errorf("two pods have the same file name %s", a)
	}
	if a, b := fileNameOf("a/b", "app", api.CPU), fileNameOf("a_b", "app", api.CPU); a == b {
		t.Errorf("two pods have the same file name %s", a)
	}
}
