//go:build linux

package main

import "path/filepath"

// Directories of a cluster. There can be only one cluster on a machine, because its ports and its
// cgroup are the machine's.
const (
	stateDir = "/var/lib/kubectl-pprof-cluster"
	runDir   = "/run/kubectl-pprof-cluster" // short, because the path of a socket is at most 107 bytes long
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

// Ports of the components, all on 127.0.0.1. They are unusual so that another cluster can run
// beside this one.
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
