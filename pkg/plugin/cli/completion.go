package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/wire/api"
)

// completionTime bounds a completion: a shell without suggestions is better than one that hangs.
const completionTime = 3 * time.Second

// noFiles is the directive of completions without file names.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// completer answers a shell's requests for completion.
type completer struct{ connection connectionFlags }

// completeTarget offers pods, TYPE/ and workloads of that type. After a namespace it offers the
// namespace's pods, and after a pod its containers.
func (c completer) completeTarget(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	namespace := ""
	if len(args) > 0 {
		namespace = args[0]
	}
	clients, namespace, err := c.clients(namespace)
	if err != nil || len(args) > 2 {
		return nil, noFiles
	}
	if len(args) == 2 {
		return c.containers(ctx, clients, namespace, args[1]), noFiles
	}
	if typ, _, slash := strings.Cut(word, "/"); slash {
		var names []string
		for _, name := range target.Names(ctx, clients.Objects, namespace, typ) {
			names = append(names, typ+"/"+name)
		}
		return matching(names, word), noFiles
	}
	words := target.Names(ctx, clients.Objects, namespace, "pod")
	directive := noFiles
	for _, typ := range target.Types()[1:] {
		words = append(words, typ+"/")
	}
	if words = matching(words, word); len(words) == 1 && strings.HasSuffix(words[0], "/") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}

// completeFileOrTarget offers pods and workloads as well as files.
func (c completer) completeFileOrTarget(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, noFiles
	}
	words, directive := c.completeTarget(cmd, nil, word)
	return words, directive &^ noFiles
}

func addFlagCompletion(cmd *cobra.Command, connection connectionFlags) {
	c := completer{connection}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"type":              completeTypes,
		"by":                fixed(api.ByThread, api.ByGoroutine),
		"transfer":          fixed(string(stream.Exec), string(stream.Attach), string(stream.Logs)),
		"image-pull-policy": fixed(string(corev1.PullAlways), string(corev1.PullIfNotPresent), string(corev1.PullNever)),
		"duration":          fixed("10s", "30s", "1m", "5m"),
		"container":         c.completeContainer,
		"namespace":         c.completeNamespace,
		"job-namespace":     c.completeNamespace,
		"context":           c.completeContext,
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue // not every command has all flags
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag was just looked up
		}
	}
}

// fixed returns a completion that offers the same words always.
func fixed(words ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return words, noFiles }
}

// completeTypes offers the types that are not yet in the comma-separated list.
func completeTypes(_ *cobra.Command, _ []string, word string) (words []string, directive cobra.ShellCompDirective) {
	before := word[:strings.LastIndexByte(word, ',')+1]
	for _, name := range api.TypeNames() {
		if !slices.Contains(strings.Split(before, ","), name) {
			words = append(words, before+name)
		}
	}
	return matching(words, word), noFiles
}

func (c completer) completeContainer(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	var namespace, name string
	switch len(args) {
	case 1:
		name = args[0]
	case 2:
		namespace, name = args[0], args[1]
	default:
		return nil, noFiles
	}
	clients, namespace, err := c.clients(namespace)
	if err != nil {
		return nil, noFiles
	}
	return matching(c.containers(ctx, clients, namespace, name), word), noFiles
}

func (c completer) containers(ctx context.Context, clients target.Clients, namespace, arg string) []string {
	typ, name, err := target.ParseName(arg)
	if err != nil {
		return nil
	}
	return target.ContainersOf(ctx, clients, target.Query{Namespace: namespace, Type: typ, Name: name})
}

func (c completer) completeNamespace(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	clients, _, err := c.clients("")
	if err != nil {
		return nil, noFiles
	}
	return matching(target.Namespaces(ctx, clients), word), noFiles
}

func (c completer) completeContext(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	config, err := c.connection.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return matching(names, word), noFiles
}

// clients returns clients and the namespace to look into: the given one, else that of the flags.
func (c completer) clients(namespace string) (target.Clients, string, error) {
	cluster, err := c.connection.connect()
	if err != nil {
		return target.Clients{}, "", err
	}
	return cluster.clients, cmp.Or(namespace, cluster.namespace), nil
}

func matching(words []string, prefix string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, prefix) })
}
