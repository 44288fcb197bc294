// Command kubectl-pprof is a kubectl plugin: `kubectl pprof deploy/checkout` profiles a running
// container. Everything is in pkg/plugin/cli.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // exec, OIDC and the clouds' plugins

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/cli"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(cli.Main(os.Args, streams, signals))
}
