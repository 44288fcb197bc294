package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

const (
	// DefaultPort is the port in the documentation of net/http/pprof.
	DefaultPort = 6060
	// portTimeout bounds the check of one port.
	portTimeout = 5 * time.Second
)

// ErrNoEndpoint is part of the error of TakeFromEndpoint if the target serves no net/http/pprof.
var ErrNoEndpoint = errors.New("no net/http/pprof was found")

// TakeFromEndpoint takes profiles from the target's own net/http/pprof, through a port-forward. A
// port of 0 stands for DefaultPort, then the ports that the container declares.
func TakeFromEndpoint(ctx context.Context, config *rest.Config, t *target.Target, port int, requests []api.Request, report Reporter) (*Outcome, error) {
	port, client, err := findEndpoint(ctx, config, t, port, report)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	outcome := &Outcome{Results: newResults(requests)}
	newProgress(report, requests)
	var wg sync.WaitGroup
	for _, r := range outcome.Results {
		wg.Go(func() {
			request := r.Request
			request.By = ""
			ctx, cancel := withResultTimeout(ctx, request.Duration)
			defer cancel()
			if r.Profile, r.Err = client.Profile(ctx, request); r.Err != nil {
				return
			}
			meta.Endpoint.Add(r.Profile, fmt.Sprintf("net/http/pprof at port %d of the container", port))
			if r.Profile.TimeNanos == 0 {
				r.Profile.TimeNanos = time.Now().UnixNano()
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := outcome.failure(); err != nil {
		return nil, fmt.Errorf("profiling %s: %w", t, err)
	}
	outcome.describe(t)
	return outcome, nil
}

// findEndpoint looks for net/http/pprof at the port, or at each that it could have if the port is 0.
func findEndpoint(ctx context.Context, config *rest.Config, t *target.Target, port int, report Reporter) (int, *endpoint.Client, error) {
	ports := []int{port}
	if port == 0 {
		ports = candidatePorts(t.Pod, t.Container)
	}
	ref := stream.Ref{Namespace: t.Namespace(), Pod: t.Pod.Name, Container: t.Container}
	var seen []string
	for _, port := range ports {
		report.Step(fmt.Sprintf("looking for net/http/pprof at port %d of %s", port, t))
		client := endpoint.NewClient(&http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return stream.DialPort(ctx, config, ref, port)
			},
		})
		checking, cancel := context.WithTimeout(ctx, portTimeout)
		err := client.Check(checking)
		cancel()
		switch {
		case err == nil:
			return port, client, nil
		case ctx.Err() != nil:
			return 0, nil, context.Cause(ctx)
		case forbidden(err):
			return 0, nil, fmt.Errorf("%s: its ports cannot be reached: %w", t, err)
		}
		seen = append(seen, fmt.Sprintf("\n  port %d: %v", port, err))
	}
	return 0, nil, fmt.Errorf("%s: %w:%s", t, ErrNoEndpoint, strings.Join(seen, ""))
}

// candidatePorts returns DefaultPort and the TCP ports that the container declares.
func candidatePorts(pod *corev1.Pod, container string) []int {
	ports := []int{DefaultPort}
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if c.Name != container {
			continue
		}
		for _, p := range c.Ports {
			if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && !slices.Contains(ports, int(p.ContainerPort)) {
				ports = append(ports, int(p.ContainerPort))
			}
		}
	}
	return ports
}

// forbidden reports whether the user lacks a permission. Errors of streams have that only in their
// text.
func forbidden(err error) bool {
	return apierrors.IsForbidden(err) || strings.Contains(err.Error(), "is forbidden: ")
}
