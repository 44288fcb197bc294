//go:build linux

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// valueOf returns the sum of the values of the named type in stacks with a function.
func valueOf(t *testing.T, p *profile.Profile, name, function string) (sum int64) {
	t.Helper()
	index := -1
	for i, s := range p.SampleType {
		if s.Type == name {
			index = i
		}
	}
	if index < 0 {
		t.Fatalf("no values %q in %v", name, p.SampleType)
	}
	for _, s := range p.Sample {
		if hasFunction(s, function) {
			sum += s.Value[index]
		}
	}
	return sum
}

func hasFunction(s *profile.Sample, function string) bool {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function.Name == function {
				return true
			}
		}
	}
	return false
}

func expectBetween(t *testing.T, what string, got, low, high int64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %d, want %d to %d", what, got, low, high)
	}
}

const mib = 1 << 20

// One profiler takes all types of profile of a stripped, FROM scratch, non-root program that does
// not import pprof.
func TestSeveralTypesAtOnce(t *testing.T) {
	for _, tc := range [][]string{{"--ephemeral"}, {"--job"}, {"--ephemeral", "--transfer", "attach"}, {"--job", "--transfer", "logs"}} {
		t.Run(strings.Join(tc, " "), func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", restricted(ledger("ledger", "-rate=64", "-park=100"))))
			dir := t.TempDir()
			r := succeed(t, append(tc, "-n", ns, "web", "-d", "5s", "--enable-memprofile", "--memprofile-rate", "65536",
				"--type", "cpu,heap,allocs,goroutine,wall,offcpu", "-o", filepath.Join(dir, "web.pb.gz"), "-o", filepath.Join(dir, "web.txt"))...)
			of := func(name string) *profile.Profile {
				p := readProfile(t, filepath.Join(dir, "web-"+name+".pb.gz"))
				expectComment(t, p, "type: "+name)
				expectComment(t, p, "pod: "+ns+"/web")
				return p
			}
			expectFunctions(t, of("cpu"), []string{books + "Spend"}, nil)
			// On a busy node the program may allocate less than its flags say, but
			// never more.
			for name, p := range map[string]*profile.Profile{"heap": of("heap"), "allocs": of("allocs")} {
				expectBetween(t, name+": bytes allocated by Spend", valueOf(t, p, "alloc_space", books+"Spend"), 10*mib, 500*mib)
				expectComment(t, p, "memory profile turned on by kubectl pprof")
			}
			goroutines := of("goroutine")
			if n := valueOf(t, goroutines, "goroutine", books+"AwaitOrder"); n != 100 {
				t.Errorf("%d goroutines wait for orders, want 100: %v", n, r)
			}
			if _, err := os.Stat(filepath.Join(dir, "web-goroutine.txt")); err != nil {
				t.Error(err)
			}
			wall := of("wall")
			seconds := float64(valueOf(t, wall, "time", books+"AwaitOrder")) / 1e9
			if want := 100 * time.Duration(wall.DurationNanos).Seconds(); seconds < want/2 || seconds > 1.2*want {
				t.Errorf("100 goroutines waited %.0f s for orders in %v", seconds, time.Duration(wall.DurationNanos))
			}
			if len(of("offcpu").Sample) == 0 {
				t.Error("no thread waited for anything")
			}
			if tc[0] == "--ephemeral" {
				pod, err := client.CoreV1().Pods(ns).Get(t.Context(), "web", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if n := len(pod.Spec.EphemeralContainers); n != 1 {
					t.Errorf("%d profilers were started, want 1", n)
				}
			}
		})
	}
}

// Profiles of memory, goroutines and locks that are read from outside agree with the program's own.
func TestTypesAgreeWithRuntimePprof(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("openledger", "-rate=16", "-hold=64", "-park=50", "-locks")))
	// The runtime completes the heap profile in a garbage collection, which gc=1 asks for.
	heap := client.CoreV1().Pods(ns).ProxyGet("http", "web", "8080", "debug/pprof/heap", map[string]string{"gc": "1"})
	if _, err := heap.DoRaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	outside, inside := t.TempDir(), t.TempDir()
	const types = "heap,goroutine,mutex,block"
	succeed(t, "-n", ns, "web", "--ephemeral", "--type", types, "-o", filepath.Join(outside, "web.pb.gz"))
	succeed(t, "-n", ns, "web", "--from-endpoint", "--type", types, "-o", filepath.Join(inside, "web.pb.gz"))
	for _, tc := range []struct {
		name, values, function string
		equal                  bool
	}{
		{"heap", "inuse_space", books + "Remember", true},
		{"goroutine", "goroutine", books + "AwaitOrder", true},
		{"mutex", "contentions", books + "Quarrel", false},
		{"block", "contentions", books + "Quarrel", false},
	} {
		ours, theirs := valueOf(t, readProfile(t, filepath.Join(outside, "web-"+tc.name+".pb.gz")), tc.values, tc.function),
			valueOf(t, readProfile(t, filepath.Join(inside, "web-"+tc.name+".pb.gz")), tc.values, tc.function)
		t.Logf("%s of %s: %d from outside, then %d by itself", tc.values, tc.function, ours, theirs)
		if ours == 0 || tc.equal && ours != theirs || ours > theirs { // the others grow
			t.Errorf("%s: %d from outside, %d by itself", tc.name, ours, theirs)
		}
	}
}

// The other types are written even if the program does not collect one of them.
func TestTypeThatTheProgramDoesNotCollect(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger")))
	dir := t.TempDir()
	r := plugin(t, "-n", ns, "web", "--type", "mutex,goroutine,heap", "-o", filepath.Join(dir, "web.pb.gz"))
	if r.code != 3 {
		t.Errorf("want exit code 3: %v", r)
	}
	expectTexts(t, r, "not all of the profiles were taken", "mutex: ", "runtime.SetMutexProfileFraction", "heap: ", "--enable-memprofile", "web-goroutine.pb.gz")
	if n := valueOf(t, readProfile(t, filepath.Join(dir, "web-goroutine.pb.gz")), "goroutine", books+"AwaitOrder"); n != 100 {
		t.Errorf("%d goroutines", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
	refuse(t, []string{"-n", ns, "web", "--type", "heap", "-o", "-"}, "--enable-memprofile")
}

// In text format a goroutine profile is a traceback, with and without --freeze.
func TestTraceback(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger", "-park=3")))
	for _, args := range [][]string{{}, {"--freeze"}} {
		r := succeed(t, append(args, "-n", ns, "web", "--type", "goroutine", "-f", "text", "-o", "-")...)
		if strings.Count(r.stdout, books+"AwaitOrder") != 3 || !strings.Contains(r.stdout, "goroutine 1 [IO wait") || strings.Count(r.stdout, "[chan receive") < 3 {
			t.Errorf("%v: %s", args, r.stdout)
		}
	}
}

// Types that are read at once work over the log too, although the profiler may have ended before
// the plugin saw it run. So do errors.
func TestReadAtOnceThroughTheLog(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		ns := namespace(t, "")
		start(t, podOf(ns, "web", ledger("ledger")))
		p, _ := profileOf(t, mode, "--transfer", "logs", "-n", ns, "web", "--type", "goroutine")
		expectBetween(t, "goroutines", valueOf(t, p, "goroutine", books+"AwaitOrder"), 100, 100)
		refuse(t, []string{mode, "--transfer", "logs", "-n", ns, "web", "--type", "heap"}, "runtime.MemProfileRate is 0", "--enable-memprofile")
	}
}

// A crash loses at most the last seconds of each type, and no profile that was read before.
func TestSeveralTypesOfACrash(t *testing.T) {
	ns := namespace(t, "")
	pod := podOf(ns, "web", container("app", "/spin", "-crash=12s", "-listen=:8080"))
	start(t, pod)
	dir := t.TempDir()
	r := plugin(t, "-n", ns, "web", "--ephemeral", "--type", "cpu,goroutine,offcpu", "-d", "30s", "-o", filepath.Join(dir, "web.pb.gz"))
	if r.code != 3 {
		t.Fatalf("want exit code 3: %v", r)
	}
	expectTexts(t, r, "cpu: ", "exit code 3")
	for name, whole := range map[string]bool{"cpu": false, "offcpu": false, "goroutine": true} {
		p := readProfile(t, filepath.Join(dir, "web-"+name+".pb.gz"))
		partial := false
		for _, c := range p.Comments {
			partial = partial || strings.HasPrefix(c, "partial: ")
		}
		if partial == whole {
			t.Errorf("%s: whole: %v: %q", name, !partial, p.Comments)
		}
	}
}

// Types that read memory need one capability, also for other users' processes and for writing to memory.
func TestCapabilityForMemory(t *testing.T) {
	for _, mode := range []string{"--ephemeral", "--job"} {
		t.Run(mode, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", restricted(ledger("ledger", "-rate=64"))))
			plan := succeed(t, mode, "--capabilities", "--dry-run", "-n", ns, "web", "--type", "heap,goroutine").stdout
			if !strings.Contains(plan, "add:\n") || !strings.Contains(plan, "- SYS_PTRACE\n") || strings.Contains(plan, "BPF") || strings.Contains(plan, "privileged: true") {
				t.Errorf("what would be created: %s", plan)
			}
			dir := t.TempDir()
			succeed(t, mode, "--capabilities", "-n", ns, "web", "--type", "heap,allocs,goroutine,wall", "--enable-memprofile", "-d", "4s", "-o", filepath.Join(dir, "web.pb.gz"))
			expectBetween(t, "bytes allocated", valueOf(t, readProfile(t, filepath.Join(dir, "web-allocs.pb.gz")), "alloc_space", books+"Spend"), 8*mib, 400*mib)
			expectBetween(t, "goroutines", valueOf(t, readProfile(t, filepath.Join(dir, "web-goroutine.pb.gz")), "goroutine", books+"AwaitOrder"), 100, 100)
		})
	}
}

// Where privileged containers are not admitted, types that need less run with few capabilities, and
// others are refused.
func TestPrivilegedContainersRefused(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", ledger("ledger")))
	refusePrivileged(t, ns)
	eventually(t, 2*time.Minute, "the policy to be in force", func() (bool, string) {
		r := plugin(t, "--ephemeral", "--dry-run", "-n", ns, "web")
		return r.code != 0, r.String()
	})
	p, r := profileOf(t, "-n", ns, "web", "--type", "goroutine")
	expectBetween(t, "goroutines", valueOf(t, p, "goroutine", books+"AwaitOrder"), 100, 100)
	expectTexts(t, r, "an ephemeral container with few capabilities", "nothing privileged here")
	refuse(t, []string{"-n", ns, "web", "--type", "goroutine,cpu"}, "nothing privileged here", "Job", "--from-endpoint")
	examine(t, 1, map[string]string{"admission: ephemeral container": "failed"}, "-n", ns, "web")
	examine(t, 0, map[string]string{"admission: ephemeral container": "ok", "admission: Job": "ok"}, "-n", ns, "web", "--type", "goroutine")
}

// refusePrivileged creates a policy that refuses privileged containers in a namespace.
func refusePrivileged(t *testing.T, ns string) {
	t.Helper()
	const ok = "(!has(c.securityContext) || !has(c.securityContext.privileged) || !c.securityContext.privileged)"
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods", "pods/ephemeralcontainers"}},
				}}},
			},
			Validations: []admissionv1.Validation{{
				Expression: "object.spec.containers.all(c, " + ok + ") && (!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.all(c, " + ok + "))",
				Message:    "nothing privileged here",
			}},
		},
	}
	policies := client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	bindings := client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	if _, err := policies.Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		policies.Delete(context.Background(), ns, metav1.DeleteOptions{})
		bindings.Delete(context.Background(), ns, metav1.DeleteOptions{})
	})
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: ns, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
