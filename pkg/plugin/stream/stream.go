// Package stream makes a net.Conn of the stdin and stdout of a container in a cluster: a command's by exec, the main
// process's by attach. Its entry point is NewDialer. Where neither can be had, Log reads the container's log. It must
// not know what the bytes mean.
package stream

import (
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// Transfer is a way back from a container, named like the subresource of the pod that it takes.
type Transfer string

// The ways in the order in which they are preferred: what passes through attach is also in the container's log on its
// node, and through the log nothing can be asked.
const (
	Exec   Transfer = "exec"
	Attach Transfer = "attach"
	Logs   Transfer = "logs"
)

// Transfers lists all of them.
func Transfers() []Transfer { return []Transfer{Exec, Attach, Logs} }

// way is a kind of stream over a protocol.
type way struct {
	transfer  Transfer
	webSocket bool // else SPDY
}

// ways lists those of the transfers in the order in which they are tried.
func ways(transfers []Transfer) (all []way) {
	for _, t := range transfers {
		if t == Logs {
			continue
		}
		if os.Getenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS") != "false" { // kubectl's switch
			all = append(all, way{t, true})
		}
		all = append(all, way{t, false})
	}
	return all
}

func (w way) executor(config *rest.Config, ref Ref, command []string) (remotecommand.Executor, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var options runtime.Object = &corev1.PodExecOptions{
		Container: ref.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
	}
	if w.transfer == Attach {
		options = &corev1.PodAttachOptions{Container: ref.Container, Stdin: true, Stdout: true}
	}
	url := core.RESTClient().Post().
		Namespace(ref.Namespace).Resource("pods").Name(ref.Pod).SubResource(string(w.transfer)).
		VersionedParams(options, scheme.ParameterCodec).URL()
	if w.webSocket {
		return remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	}
	return remotecommand.NewSPDYExecutor(config, "POST", url)
}
