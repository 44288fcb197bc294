package stream

import (
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// route is a transfer over a protocol.
type route struct {
	transfer  Transfer
	webSocket bool // otherwise SPDY
}

// routes returns the routes of the transfers that carry requests, in the order in which they are tried.
func routes(transfers []Transfer) (all []route) {
	for _, t := range transfers {
		if t == Logs {
			continue
		}
		if os.Getenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS") != "false" { // as for kubectl
			all = append(all, route{t, true})
		}
		all = append(all, route{t, false})
	}
	return all
}

// executor returns what establishes the streams. The command is for exec.
func (r route) executor(config *rest.Config, ref Ref, command []string) (remotecommand.Executor, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var options runtime.Object = &corev1.PodExecOptions{
		Container: ref.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
	}
	if r.transfer == Attach {
		options = &corev1.PodAttachOptions{Container: ref.Container, Stdin: true, Stdout: true}
	}
	url := core.RESTClient().Post().
		Namespace(ref.Namespace).Resource("pods").Name(ref.Pod).SubResource(string(r.transfer)).
		VersionedParams(options, scheme.ParameterCodec).URL()
	if r.webSocket {
		return remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	}
	return remotecommand.NewSPDYExecutor(config, "POST", url)
}
