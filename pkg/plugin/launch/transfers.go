package launch

import (
	"context"
	"sync"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// permissionsFor a transfer: any of them will do. A WebSocket is a GET and SPDY a POST; since Kubernetes 1.35 both
// take "create".
func permissionsFor(t stream.Transfer, namespace string) []permission {
	if t == stream.Logs {
		return []permission{{"get", "", "pods", "log", namespace}}
	}
	return []permission{{"create", "", "pods", string(t), namespace}, {"get", "", "pods", string(t), namespace}}
}

// transfers gives those that the user wants and may use, the best first; if there are none, the
// permissions that are missing.
func (o Options) transfers(ctx context.Context, client kubernetes.Interface, namespace string) (may []stream.Transfer, missing []permission) {
	wanted := stream.Transfers()
	if o.Transfer != "" {
		wanted = []stream.Transfer{o.Transfer}
	}
	permitted := make([]bool, len(wanted))
	var wg sync.WaitGroup
	for i, t := range wanted {
		wg.Go(func() {
			for _, p := range permissionsFor(t, namespace) {
				permitted[i] = permitted[i] || allowed(ctx, client, p)
			}
		})
	}
	wg.Wait()
	for i, t := range wanted {
		if permitted[i] {
			may = append(may, t)
		} else {
			missing = append(missing, permissionsFor(t, namespace)[0])
		}
	}
	if len(may) > 0 {
		return may, nil
	}
	return nil, missing
}

// unasked tells that a profiler must know from its start what to do, for no request will reach it.
func unasked(transfers []stream.Transfer) bool {
	return len(transfers) > 0 && transfers[0] == stream.Logs
}
