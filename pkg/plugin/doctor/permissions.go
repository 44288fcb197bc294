package doctor

import (
	"context"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/access"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
)

// permissions checks the permissions of each mode of launching. Those for transfers have checks of
// their own.
func (e *examination) permissions(ctx context.Context) []Check {
	return failIfAllWarn([]Check{
		e.modePermissions(ctx, launch.Ephemeral, "ephemeral", e.namespace()),
		e.modePermissions(ctx, launch.Job, "job", e.jobNamespace()),
	})
}

// modePermissions checks one mode. The flag is its value for rbac --mode.
func (e *examination) modePermissions(ctx context.Context, mode launch.Mode, flag, namespace string) Check {
	c := e.checkRules(ctx, "permissions: "+string(mode), namespace, launch.ModeRules(mode)...)
	if c.Verdict == Warning {
		c.Remedy = fmt.Sprintf("ask for the permissions that `kubectl pprof rbac --mode %s -n %s` prints", flag, namespace)
	}
	return c
}

// endpoint checks the permission for --from-endpoint. No profile needs it, so its absence is no problem.
func (e *examination) endpoint(ctx context.Context) []Check {
	c := e.checkRules(ctx, "permissions: --from-endpoint", e.namespace(), launch.EndpointRules()[1:]...)
	if c.Verdict == Warning {
		c.Verdict = OK
		c.Detail += "; only --from-endpoint needs that"
	}
	return []Check{c}
}

// checkRules checks that the user has all of the permissions; otherwise the verdict is Warning.
func (e *examination) checkRules(ctx context.Context, name, namespace string, rules ...rbacv1.PolicyRule) Check {
	granted, missing, err := e.review(ctx, namespace, rules...)
	switch {
	case err != nil:
		return unknownPermissions(name, err)
	case len(missing) > 0:
		return Check{name, Warning, fmt.Sprintf("you may not %s in namespace %q", strings.Join(missing, ", nor "), namespace), ""}
	}
	return Check{name, OK, "you may " + strings.Join(granted, ", "), ""}
}

// review divides the actions that the rules grant into those the user may do and those the user may not.
func (e *examination) review(ctx context.Context, namespace string, rules ...rbacv1.PolicyRule) (granted, missing []string, err error) {
	for _, p := range access.Permissions(namespace, rules...) {
		allowed, err := access.Check(ctx, e.client, p)
		if err != nil {
			return nil, nil, err
		}
		if allowed {
			granted = append(granted, p.Action())
		} else {
			missing = append(missing, p.Action())
		}
	}
	return granted, missing, nil
}

func unknownPermissions(name string, err error) Check {
	return Check{name, Unknown, fmt.Sprintf("the API server does not report your permissions: %v", err), ""}
}
