package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// named is the target that the arguments name.
type named struct {
	query target.Query // without a namespace for that of the connection
	hint  string       // appended to errors: what else the arguments could mean
}

func addContainerFlag(f *pflag.FlagSet, container *string) {
	f.StringVarP(container, "container", "c", "", "`container` to profile; default: from the annotation kubectl.kubernetes.io/default-container, else the first")
}

// parseTarget parses the arguments [TYPE/]NAME, or NAMESPACE POD [CONTAINER]. The namespace and the
// container are those of the flags.
func parseTarget(args []string, namespace, container string) (named, error) {
	var n named
	var name string
	switch len(args) {
	case 0:
		return n, fmt.Errorf("name what to profile: [TYPE/]NAME, or NAMESPACE POD [CONTAINER]")
	case 1:
		name = args[0]
	case 2, 3:
		if namespace != "" && namespace != args[0] {
			return n, fmt.Errorf("two namespaces: %q as argument and %q by --namespace", args[0], namespace)
		}
		n.query.Namespace, name = args[0], args[1]
		if _, _, err := target.ParseName(args[0] + "/" + args[1]); err == nil {
			n.hint = fmt.Sprintf("; if %s is a type, write %s/%s", args[0], args[0], args[1])
		}
		if len(args) == 3 {
			if container != "" && container != args[2] {
				return n, fmt.Errorf("two containers: %q as argument and %q by --container", args[2], container)
			}
			container = args[2]
		}
	default:
		return n, fmt.Errorf("%d arguments: at most three are possible, NAMESPACE POD CONTAINER", len(args))
	}
	var err error
	if n.query.Type, n.query.Name, err = target.ParseName(name); err != nil {
		return n, err
	}
	n.query.Container = container
	return n, nil
}

// resolve returns the running container.
func (n named) resolve(ctx context.Context, c *cluster, report session.Reporter) (*target.Target, error) {
	report.Step("looking for " + n.query.Name)
	t, err := target.Resolve(ctx, c.clients, c.query(n.query))
	if err != nil {
		return nil, interrupted(ctx, fmt.Errorf("%w%s", err, n.hint))
	}
	for _, note := range t.Notes {
		report.Note(note)
	}
	return t, nil
}
