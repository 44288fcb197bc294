package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/endpoint"
)

const (
	// anyPort is the value of --from-endpoint without one.
	anyPort = "any"
	// usualPort is that of the example in the documentation of net/http/pprof.
	usualPort = 6060
	// portTime is how long a port may take to show what it is.
	portTime = 5 * time.Second
)

// validateEndpoint refuses what a program's own endpoint cannot do.
func (o *Options) validateEndpoint() error {
	if o.port == "" && o.changed("from-endpoint") {
		return fmt.Errorf("--from-endpoint= lacks its port; without = the usual ones are tried")
	}
	if o.port == "" {
		return nil
	}
	if n, err := strconv.Atoi(o.port); o.port != anyPort && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("--from-endpoint=%s: it is a port from 1 to 65535", o.port)
	}
	for _, flag := range []string{
		"frequency", "pid", "by", "no-times", "enable-memprofile", "memprofile-rate", "freeze", "ephemeral", "job", "image", "job-namespace",
		"image-pull-policy", "image-pull-secret", "service-account", "capabilities", "wait-for-restart", "transfer", "keep", "timeout", "dry-run",
	} {
		if o.changed(flag) {
			return fmt.Errorf("--%s is for a profiler, not for --from-endpoint: that takes what the program gives", flag)
		}
	}
	var unknown []string
	for _, r := range o.requests {
		if t, err := api.TypeOf(r.Type); err == nil && !endpoint.HasType(t) {
			unknown = append(unknown, r.Type)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("--from-endpoint: net/http/pprof has no %s", strings.Join(unknown, ", "))
	}
	return nil
}

// takeFromEndpoint takes the profiles from the program itself.
func (o *Options) takeFromEndpoint(ctx context.Context, ui *progress, config *rest.Config, t *target.Target) (*taken, error) {
	port, client, err := o.findEndpoint(ctx, ui, config, t)
	if err != nil {
		return nil, err
	}
	parts := partsOf(o.requests)
	newMeter(ui, o.requests)
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Go(func() {
			r := p.request
			r.By = ""
			ctx, cancel := context.WithTimeoutCause(ctx, r.Duration+resultTime, fmt.Errorf("no result %v after the end of sampling", resultTime))
			defer cancel()
			if p.profile, p.err = client.Profile(ctx, r); p.err != nil {
				return
			}
			p.profile.Comments = append(p.profile.Comments, fmt.Sprintf("endpoint: net/http/pprof at port %d of the container", port))
			if p.profile.TimeNanos == 0 {
				p.profile.TimeNanos = time.Now().UnixNano()
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return &taken{parts: parts, finish: func() error { return nil }}, nil
}

// findEndpoint looks for net/http/pprof at the port that is given, or at those where it could be.
func (o *Options) findEndpoint(ctx context.Context, ui *progress, config *rest.Config, t *target.Target) (int, *endpoint.Client, error) {
	ports := candidates(t.Pod, t.Container)
	if o.port != anyPort {
		n, _ := strconv.Atoi(o.port) // validated
		ports = []int{n}
	}
	ref := stream.Ref{Namespace: t.Namespace(), Pod: t.Pod.Name, Container: t.Container}
	var seen []string
	for _, port := range ports {
		ui.step("looking for net/http/pprof at port %d of %s", port, t)
		client := endpoint.NewClient(&http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return stream.Port(ctx, config, ref, port) },
		})
		checking, cancel := context.WithTimeout(ctx, portTime)
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
	return 0, nil, fmt.Errorf("%s: no net/http/pprof was found:%s\n  --from-endpoint=PORT names another port; without --from-endpoint none is needed", t, strings.Join(seen, ""))
}

// candidates are the usual port and those that the container declares.
func candidates(pod *corev1.Pod, container string) []int {
	ports := []int{usualPort}
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
