package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/terminal"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api/client"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

// Messages and names of the cluster cannot control the user's terminal, neither in an error nor in
// doctor's table.
func TestClusterCannotControlTheTerminal(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/version" {
			w.Write([]byte(`{"major": "1", "minor": "35", "gitVersion": "v1.35.4"}`))
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError,
			Message: "ErrImagePull: " + terminalAttack,
		})
	}))
	defer api.Close()
	checkCommands(t, api.URL)
}

// checkCommands runs commands that fail because of an API server's answers, and checks that these are
// printed escaped.
func checkCommands(t *testing.T, server string) {
	t.Helper()
	t.Setenv("KUBECONFIG", "/dev/null")
	for _, args := range [][]string{{"web"}, {"doctor", "web"}} {
		t.Run(args[0], func(t *testing.T) {
			streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
			args = append(append([]string{"kubectl-pprof"}, args...), "--server", server, "-n", "shop")
			if code := Main(args, streams, nil); code == exitOK {
				t.Error("exit code 0")
			}
			checkEscaped(t, stdout.String()+stderr.String())
		})
	}
}

// terminalAttack sets a terminal's title and reverses the direction of text.
const terminalAttack = "pull of \x1b]0;title\a\u202e"

// checkEscaped checks that terminalAttack was printed, but cannot control the terminal.
func checkEscaped(t *testing.T, printed string) {
	t.Helper()
	if !strings.Contains(printed, `pull of \x1b]0;title\a\u202e`) || strings.ContainsAny(printed, "\x1b\a\u202e") {
		t.Errorf("printed %q", printed)
	}
}

// Errors quote what the other ends of connections have sent.
func TestOtherEndsCannotControlTheTerminal(t *testing.T) {
	for name, receive := range map[string]func(*testing.T) error{
		"status line of the target": func(t *testing.T) error {
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					http.ReadRequest(bufio.NewReader(theirs))
					io.WriteString(theirs, "HTTP/1.1 500 "+terminalAttack+"\r\nContent-Length: 0\r\n\r\n")
				}()
				return ours, nil
			}}
			defer transport.CloseIdleConnections()
			return endpoint.NewClient(transport).Check(t.Context())
		},
		"error of the profiler": func(t *testing.T) error {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotImplemented)
				json.NewEncoder(w).Encode(api.Error{Message: terminalAttack})
			}))
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
			defer server.Close()
			c := client.New(func(context.Context) (net.Conn, error) { return net.Dial("tcp", server.Listener.Addr().String()) })
			defer c.Close()
			_, err := c.Version(t.Context())
			return err
		},
		"stderr of exec": func(*testing.T) error { // worded as package stream does
			return fmt.Errorf("exec in container %q of pod %s ended: %s", "app", "shop/web", terminalAttack)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			printError(terminal.NewWriter(&b), nil, receive(t))
			checkEscaped(t, b.String())
		})
	}
}

// The message of a waiting container is part of the error and of doctor's table.
func TestContainerCannotControlTheTerminal(t *testing.T) {
	waiting := &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: terminalAttack}
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "1"},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", State: corev1.ContainerState{Waiting: waiting},
		}}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/version":
			io.WriteString(w, `{"major": "1", "minor": "35", "gitVersion": "v1.35.4"}`)
		case "/api/v1/namespaces/shop/pods/web":
			json.NewEncoder(w).Encode(pod)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	checkCommands(t, server.URL)
}
