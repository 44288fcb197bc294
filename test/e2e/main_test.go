//go:build linux

// Package e2e tests what users of kubectl pprof do, on a real cluster. Each file is one kind of
// story, and each test asserts what the user sees and that nothing of ours is left in the cluster.
// `make test` runs it in the environment of test/with-cluster.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

var (
	kubeconfig     = os.Getenv("KUBECONFIG")
	pluginPath     = os.Getenv("PPROF_PLUGIN")
	workloadsImage = os.Getenv("PPROF_WORKLOADS_IMAGE")
	// onThisMachine is set when the node is this machine, so that its processes can be inspected.
	onThisMachine = os.Getenv("PPROF_TEST_CLUSTER") != ""

	config *rest.Config
	client *kubernetes.Clientset
)

func TestMain(m *testing.M) {
	if pluginPath == "" || kubeconfig == "" {
		fmt.Println("left out: the cluster tests; they run under `make test` (root, Linux) or test/with-cluster")
		if os.Getenv("PPROF_TEST_ALL") != "" {
			os.Exit(1)
		}
		return
	}
	var err error
	if config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err == nil {
		config.QPS, config.Burst = 100, 200
		client, err = kubernetes.NewForConfig(config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	flag.Set("test.parallel", "8") // the tests mostly wait for the cluster
	os.Exit(m.Run())
}
