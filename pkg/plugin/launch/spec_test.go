package launch

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs; go test -update rewrites it (-want +got):\n%s", file, d)
	}
}

func toYAML(t *testing.T, object map[string]any, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const containerID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// web returns a target in a pod that sets a user.
func web() *target.Target {
	return &target.Target{
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0"},
			Spec: corev1.PodSpec{
				NodeName:        "node-1",
				SecurityContext: &corev1.PodSecurityContext{RunAsUser: ptr.To(int64(1000)), RunAsNonRoot: ptr.To(true)},
				Containers:      []corev1.Container{{Name: "app", Image: "shop/web:1"}},
			},
		},
		Container: "app", ContainerID: containerID, Image: "shop/web:1",
	}
}

func TestEphemeralContainer(t *testing.T) {
	appArmor := web()
	appArmor.Pod.Spec.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{
		Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: ptr.To("tight"),
	}
	for name, c := range map[string]struct {
		target  *target.Target
		options Options
	}{
		"plain": {web(), Options{Image: "profiler:1", Duration: 30 * time.Second, Timeout: time.Minute}},
		"keep": {web(), Options{
			Image: "profiler:1", PullPolicy: corev1.PullNever, Duration: 30 * time.Second, Timeout: time.Minute, Keep: 5 * time.Minute,
		}},
		"apparmor": {appArmor, Options{Image: "profiler:1", Duration: 30 * time.Second, Timeout: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &ephemeral{target: c.target, container: ephemeralContainer("kubectl-pprof-abcde", c.target, c.options, noon)}
			object, err := e.object()
			golden(t, "ephemeral-"+name+".yaml", toYAML(t, object, err))
		})
	}
}

func TestJob(t *testing.T) {
	for name, options := range map[string]Options{
		"plain": {Image: "profiler:1", Duration: 30 * time.Second, Timeout: time.Minute, JobNamespace: "shop"},
		"flags": {
			Image: "profiler:1", PullPolicy: corev1.PullAlways, Duration: time.Minute, Timeout: time.Minute, Keep: time.Hour,
			JobNamespace: "profiling", ImagePullSecret: "registry", ServiceAccount: "profiler",
		},
	} {
		t.Run(name, func(t *testing.T) {
			object, err := cleanJob(jobSpec("kubectl-pprof-abcde", web(), options, noon))
			golden(t, "job-"+name+".yaml", toYAML(t, object, err))
		})
	}
}
