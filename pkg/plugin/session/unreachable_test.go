package session

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

type silentReporter struct{}

func (silentReporter) Step(string)                          {}
func (silentReporter) Note(string)                          {}
func (silentReporter) Sampling(api.Progress, time.Duration) {}
func (silentReporter) Timing(string, []api.Step)            {}

const jobUID = "00000000-0000-0000-0000-00000000000a"

// brokenCluster is an API server that starts profilers, but whose exec and attach carry no data.
type brokenCluster struct {
	mayReadLogs bool

	mu        sync.Mutex
	ephemeral []corev1.EphemeralContainer
	job       *batchv1.Job
	deleted   []metav1.DeleteOptions // of the Job
}

func (b *brokenCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	real := r.URL.Query().Get("dryRun") == ""
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		var review map[string]any
		json.Unmarshal(body, &review)
		review["status"] = map[string]any{"allowed": b.mayReadLogs || !strings.Contains(string(body), `"subresource":"log"`)}
		reply(w, review)
	case strings.HasSuffix(path, "/ephemeralcontainers"):
		var patch corev1.Pod
		json.Unmarshal(body, &patch)
		before := b.ephemeral
		b.ephemeral = append(b.ephemeral, patch.Spec.EphemeralContainers...)
		reply(w, b.pod("web"))
		if !real {
			b.ephemeral = before
		}
	case strings.Contains(path, "/nodes/"):
		w.WriteHeader(http.StatusForbidden)
	case strings.HasSuffix(path, "/exec"), strings.HasSuffix(path, "/attach"):
		io.WriteString(w, "a proxy that upgrades nothing")
	case strings.HasSuffix(path, "/jobs") && r.Method == http.MethodPost:
		job := new(batchv1.Job)
		json.Unmarshal(body, job)
		job.UID = jobUID
		if real {
			b.job = job
		}
		reply(w, job)
	case strings.Contains(path, "/jobs/") && r.Method == http.MethodDelete:
		var options metav1.DeleteOptions
		json.Unmarshal(body, &options)
		b.deleted = append(b.deleted, options)
		reply(w, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess})
	case strings.HasSuffix(path, "/pods") && r.Method == http.MethodPost:
		reply(w, json.RawMessage(body))
	case strings.HasSuffix(path, "/pods"):
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
		if b.job != nil {
			list.Items = append(list.Items, *b.pod(b.job.Name))
		}
		reply(w, list)
	case strings.Contains(path, "/pods/"):
		reply(w, b.pod(path[strings.LastIndex(path, "/")+1:]))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func reply(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(object)
}

// pod returns the pod of the target, or another one with the Job's profiler.
func (b *brokenCluster) pod(name string) *corev1.Pod {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	status := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: running, ContainerID: "containerd://" + strings.Repeat("ab", 32)}
	}
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "1"},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app"}}},
	}
	if name != "web" {
		pod.OwnerReferences = []metav1.OwnerReference{{UID: jobUID, Controller: ptr.To(true)}}
		pod.Spec = b.job.Spec.Template.Spec
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{status("profiler")}
		return pod
	}
	pod.Spec.EphemeralContainers = b.ephemeral
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status("app")}
	for _, e := range b.ephemeral {
		pod.Status.EphemeralContainerStatuses = append(pod.Status.EphemeralContainerStatuses, status(e.Name))
	}
	return pod
}

// session returns a session for pod "web" of the cluster.
func (b *brokenCluster) session(t *testing.T, plan Plan) *Session {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	config := &rest.Config{
		Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"},
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	web := &target.Target{Pod: b.pod("web"), Container: "app", ContainerID: strings.Repeat("ab", 32)}
	plan.Launch = launch.Options{Image: "profiler:1", Timeout: time.Minute}
	return New(config, client, web, plan, silentReporter{})
}

// A profiler that runs, but that no stream reaches, is an error at once, and a Job is deleted.
func TestUnreachableProfiler(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, mode := range []launch.Mode{launch.Ephemeral, launch.Job} {
		for name, c := range map[string]struct {
			serve, mayReadLogs bool
			want               string // part of the error
		}{
			"profile without logs": {false, false, `no data arrives by exec or attach, and you may not get pods/log in namespace "shop"`},
			"serve without logs":   {true, false, "no data arrives by exec or attach, and " + ErrOnlyLogs.Error()},
			"serve":                {true, true, "no data arrives by exec or attach, and " + ErrOnlyLogs.Error()},
		} {
			t.Run(string(mode)+", "+name, func(t *testing.T) {
				cluster := &brokenCluster{mayReadLogs: c.mayReadLogs}
				s := cluster.session(t, Plan{
					Requests: []api.Request{{Type: api.CPU, Duration: time.Second}}, Duration: time.Second, Mode: mode,
				})
				begin := time.Now()
				var err error
				if c.serve {
					var open *Open
					if open, err = s.Open(t.Context(), t.Context()); open != nil {
						t.Errorf("got %+v", open)
					}
					if !errors.Is(err, ErrOnlyLogs) {
						t.Errorf("%v is not ErrOnlyLogs", err)
					}
				} else {
					_, err = s.Take(t.Context(), t.Context())
				}
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
					t.Errorf("error %q, want %q in it", err, c.want)
				}
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				if mode == launch.Job {
					if len(cluster.deleted) != 1 {
						t.Fatalf("the Job was deleted %d times", len(cluster.deleted))
					}
					if p := cluster.deleted[0].Preconditions; p == nil || p.UID == nil || *p.UID != jobUID {
						t.Errorf("preconditions of the deletion: %v", p)
					}
				}
			})
		}
	}
}
