//go:build linux

package main

import "path/filepath"

// Where a cluster lives. There is one cluster on a machine: its ports and its cgroup are the
// machine's too.
const (
	stateDir = "/var/lib/kubectl-pprof-cluster"
	runDir   = "/run/kubectl-pprof-cluster" // short, for the sockets in it: their paths end at 107 bytes
)

var (
	kubeconfigPath   = filepath.Join(stateDir, "admin.kubeconfig")
	containerdSocket = filepath.Join(runDir, "containerd.sock")
	tokensPath       = filepath.Join(stateDir, "pki", "tokens.csv")
	apiserverCert    = filepath.Join(stateDir, "pki", "apiserver.crt") // made by the API server, with its CA
	kubeletDir       = filepath.Join(stateDir, "kubelet")
	podLogsDir       = filepath.Join(stateDir, "pod-logs")
	cniConfigDir     = filepath.Join(stateDir, "cni")
)

// Ports of the components, all on 127.0.0.1; unusual ones, so that another cluster may run beside.
const (
	etcdPort       = 24379
	etcdPeerPort   = 24380
	apiserverPort  = 26443
	controllerPort = 26257
	schedulerPort  = 26259
	kubeletPort    = 26250
	healthzPort    = 26248
)

// podSubnetPrefix is the beginning of every pod's address.
const podSubnetPrefix = "10.88.77."

const apiserverURL = "https://127.0.0.1:26443"
