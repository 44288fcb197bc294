// Package stream connects to a container in a cluster: to a command's stdin and stdout by exec, to
// those of the main process by attach, and to a port by port-forward, each as a net.Conn. Its entry
// points are NewDialer and DialPort; OpenLog reads the container's log where neither exec nor attach
// is possible. It must not depend on what the bytes mean.
package stream

import "fmt"

// Ref names a container in a cluster.
type Ref struct {
	Namespace, Pod, Container string
}

func (r Ref) String() string {
	return fmt.Sprintf("container %q of pod %s/%s", r.Container, r.Namespace, r.Pod)
}

// Transfer is a way to get data out of a container. Its value is the name that users and flags give it;
// for Exec and Attach that is also the subresource of the pod.
type Transfer string

// The transfers, the best first. What attach transfers is also written to the container's log on its
// node. A log carries no requests.
const (
	Exec   Transfer = "exec"
	Attach Transfer = "attach"
	Logs   Transfer = "logs"
)

// Transfers returns all transfers, the best first.
func Transfers() []Transfer { return []Transfer{Exec, Attach, Logs} }
