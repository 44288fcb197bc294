package cli

import (
	"cmp"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// connectionFlags are kubectl's flags that name the API server and the user.
type connectionFlags struct {
	*genericclioptions.ConfigFlags
}

func newConnectionFlags() connectionFlags {
	return connectionFlags{genericclioptions.NewConfigFlags(true)}
}

// addTo adds the flags to a command and returns them as a group of its usage.
func (f connectionFlags) addTo(cmd *cobra.Command) flagGroup {
	group := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	f.AddFlags(group)
	cmd.Flags().AddFlagSet(group)
	return flagGroup{"Connection flags", group}
}

// cluster is a connection to an API server.
type cluster struct {
	config    *rest.Config
	clients   target.Clients
	namespace string // of the flags, else of the context
}

// connect returns the clients. Their rate limits suit a person at a terminal, who does not wait
// between a few requests.
func (f connectionFlags) connect() (*cluster, error) {
	config, err := f.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100
	config.UserAgent = "kubectl-pprof/" + version.Version
	config.WarningHandler = rest.NoWarnings{} // what matters in them is part of a dry run's refusal
	c := &cluster{config: config}
	if c.namespace, _, err = f.ToRawKubeConfigLoader().Namespace(); err != nil {
		return nil, err
	}
	if c.clients.Core, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	c.clients.Objects, err = dynamic.NewForConfig(config)
	return c, err
}

// query returns a query with the cluster's namespace, if it has none of its own.
func (c *cluster) query(q target.Query) target.Query {
	q.Namespace = cmp.Or(q.Namespace, c.namespace)
	return q
}
