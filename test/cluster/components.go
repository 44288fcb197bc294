//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// component is one process of the cluster. Its log is logs/NAME.log, its PID in NAME.pid.
type component struct {
	name    string
	ports   []int
	command []string
}

// components returns the components in the order in which they start. program is the path of the
// control-plane program.
func components(program string) []component {
	state := func(name string) string { return filepath.Join(stateDir, name) }
	serviceAccounts := state("pki/service-accounts.key")
	return []component{
		{"containerd", nil, []string{"containerd", "--config", state("containerd.toml")}},
		{"etcd", []int{etcdPort, etcdPeerPort}, []string{program, "etcd",
			"--data-dir", state("etcd"), "--unsafe-no-fsync", // the data need not survive a crash of the machine
			"--listen-client-urls", local(etcdPort), "--advertise-client-urls", local(etcdPort),
			"--listen-peer-urls", local(etcdPeerPort), "--initial-advertise-peer-urls", local(etcdPeerPort),
			"--initial-cluster", "default=" + local(etcdPeerPort), "--log-level", "warn"}},
		{"kube-apiserver", []int{apiserverPort}, []string{program, "kube-apiserver",
			"--etcd-servers", local(etcdPort), "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(apiserverPort),
			"--advertise-address", nodeIP(), // without it the API server needs a default route
			"--cert-dir", state("pki"), "--token-auth-file", tokensPath,
			"--authorization-mode", "Node,RBAC", "--allow-privileged=true",
			"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", serviceAccounts,
			"--service-account-signing-key-file", serviceAccounts, "--service-cluster-ip-range", "10.88.78.0/24",
			"--endpoint-reconciler-type", "none", "--kubelet-preferred-address-types", "Hostname"}},
		{"kube-controller-manager", []int{controllerPort}, []string{program, "kube-controller-manager",
			"--kubeconfig", kubeconfigOf("controller-manager"), "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(controllerPort),
			"--service-account-private-key-file", serviceAccounts, "--root-ca-file", apiserverCert,
			"--use-service-account-credentials=true", "--leader-elect=false"}},
		{"kube-scheduler", []int{schedulerPort}, []string{program, "kube-scheduler",
			"--kubeconfig", kubeconfigOf("scheduler"), "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(schedulerPort),
			"--leader-elect=false"}},
		{"kubelet", []int{kubeletPort, healthzPort}, []string{program, "kubelet",
			"--kubeconfig", kubeconfigOf("kubelet"), "--config", state("kubelet.yaml"), "--root-dir", kubeletDir,
			"--cert-dir", state("pki"),
			// The API server reaches the kubelet by this name, so exec, attach and logs
			// stay on loopback.
			"--hostname-override", "localhost", "--node-ip", nodeIP()}},
	}
}

func local(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// environment returns the components' environment. It makes them use little memory and CPU time,
// because they share the machine with the programs that are measured.
func environment() []string { return append(os.Environ(), "GOGC=60", "GOMAXPROCS=2") }
