package cli

import (
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

// completionTime bounds a completion: a shell that hangs is worse than one that knows nothing.
const completionTime = 3 * time.Second

// noFiles is what a completion without file names returns.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeArgs offers TYPE/ and pods or workloads of that type, then for the longer form the pods
// of the namespace and the containers of the pod.
func (o *Options) completeArgs(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	namespace := ""
	if len(args) > 0 {
		namespace = args[0]
	}
	clients, namespace, err := o.completionClients(namespace)
	if err != nil || len(args) > 2 {
		return nil, noFiles
	}
	if len(args) == 2 {
		return o.containers(ctx, clients, namespace, args[1]), noFiles
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

func (o *Options) addFlagCompletion(cmd *cobra.Command) {
	fixed := func(words ...string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return words, noFiles }
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"type":              completeTypes,
		"format":            fixed(formats()...),
		"by":                fixed(api.ByThread, api.ByGoroutine),
		"transfer":          fixed(string(stream.Exec), string(stream.Attach), string(stream.Logs)),
		"image-pull-policy": fixed(string(corev1.PullAlways), string(corev1.PullIfNotPresent), string(corev1.PullNever)),
		"duration":          fixed("10s", "30s", "1m", "5m"),
		"container":         o.completeContainer,
		"namespace":         o.completeNamespace,
		"job-namespace":     o.completeNamespace,
		"context":           o.completeContext,
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue // doctor has fewer
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // no such flag: a mistake that every start would show
		}
	}
}

// completeTypes offers the types that are not in the list yet.
func completeTypes(_ *cobra.Command, _ []string, word string) (words []string, directive cobra.ShellCompDirective) {
	before := word[:strings.LastIndexByte(word, ',')+1]
	for _, name := range api.TypeNames() {
		if !slices.Contains(strings.Split(before, ","), name) {
			words = append(words, before+name)
		}
	}
	return matching(words, word), noFiles
}

func (o *Options) completeContainer(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
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
	clients, namespace, err := o.completionClients(namespace)
	if err != nil {
		return nil, noFiles
	}
	return matching(o.containers(ctx, clients, namespace, name), word), noFiles
}

func (o *Options) containers(ctx context.Context, clients target.Clients, namespace, arg string) []string {
	typ, name, err := target.ParseName(arg)
	if err != nil {
		return nil
	}
	return target.ContainersOf(ctx, clients, target.Query{Namespace: namespace, Type: typ, Name: name})
}

func (o *Options) completeNamespace(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	clients, _, err := o.completionClients("")
	if err != nil {
		return nil, noFiles
	}
	return matching(target.Namespaces(ctx, clients), word), noFiles
}

func (o *Options) completeContext(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	config, err := o.config.ToRawKubeConfigLoader().RawConfig()
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

// completionClients gives clients and the namespace to look into, that of the flags if none is
// given.
func (o *Options) completionClients(namespace string) (target.Clients, string, error) {
	o.query.Namespace = namespace
	_, clients, err := o.connect()
	return clients, o.query.Namespace, err
}

func matching(words []string, prefix string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, prefix) })
}
