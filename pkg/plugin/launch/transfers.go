package launch

import (
	"context"
	"sync"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

// permittedTransfers returns the transfers that the options allow and the user may use, the best
// first. If there are none it returns the missing permissions, one for each transfer.
func permittedTransfers(ctx context.Context, client kubernetes.Interface, o Options, namespace string) (permitted []stream.Transfer, missing []access.Permission) {
	wanted := stream.Transfers()
	if o.Transfer != "" {
		wanted = []stream.Transfer{o.Transfer}
	}
	may := make([]bool, len(wanted))
	var wg sync.WaitGroup
	for i, t := range wanted {
		wg.Go(func() {
			for _, p := range access.Permissions(namespace, TransferRule(t)) {
				may[i] = may[i] || mayTry(ctx, client, p)
			}
		})
	}
	wg.Wait()
	for i, t := range wanted {
		if may[i] {
			permitted = append(permitted, t)
		} else {
			missing = append(missing, access.Permissions(namespace, TransferRule(t))[0])
		}
	}
	if len(permitted) > 0 {
		return permitted, nil
	}
	return nil, missing
}

// onlyLogs reports whether no transfer can carry requests to the profiler. Its work must then be
// part of its arguments.
func onlyLogs(transfers []stream.Transfer) bool {
	return len(transfers) > 0 && transfers[0] == stream.Logs
}
