// Package stream makes a net.Conn of a command's stdin and stdout in a container of a cluster. Its
// one entry point is Exec. It must not know what the bytes mean.
package stream

import (
	"context"
	"fmt"
	"net"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// Ref names a container in a cluster.
type Ref struct {
	Namespace, Pod, Container string
}

func (r Ref) String() string {
	return fmt.Sprintf("container %q of pod %s/%s", r.Container, r.Namespace, r.Pod)
}

// Exec runs a command in the container and returns its stdin and stdout as one connection, by
// WebSocket where the API server speaks it, else by SPDY. It returns when the stream is
// established, or with the reason why not; an error of the API server can be had by errors.As.
// The end of ctx does not end the connection once it is there. What the command says on stderr
// becomes part of read errors.
func Exec(ctx context.Context, config *rest.Config, ref Ref, command ...string) (net.Conn, error) {
	executor, err := newExecutor(config, ref, command)
	if err != nil {
		return nil, fmt.Errorf("exec in %s: %w", ref, err)
	}
	return connect(ctx, executor, ref)
}

func newExecutor(config *rest.Config, ref Ref, command []string) (remotecommand.Executor, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	url := core.RESTClient().Post().
		Namespace(ref.Namespace).Resource("pods").Name(ref.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: ref.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	if err != nil || os.Getenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS") == "false" { // kubectl's switch
		return spdy, err
	}
	webSocket, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(webSocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
