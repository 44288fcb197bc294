//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// identity is a component's identity at the API server, to which it authenticates with a bearer token.
// The users and groups are those that RBAC's default bindings and the Node authorizer expect.
type identity struct{ name, user, group string }

var identities = []identity{
	{"admin", "admin", "system:masters"},
	{"kubelet", "system:node:localhost", "system:nodes"},
	{"controller-manager", "system:kube-controller-manager", ""},
	{"scheduler", "system:kube-scheduler", ""},
}

func kubeconfigOf(name string) string { return filepath.Join(stateDir, name+".kubeconfig") }

// writeConfig writes every file that the components read, and creates new secrets.
func writeConfig() error {
	for _, dir := range []string{stateDir, runDir, kubeletDir, cniConfigDir, filepath.Join(stateDir, "logs"), filepath.Join(stateDir, "pki")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := writeSecrets(); err != nil {
		return err
	}
	for _, f := range configFiles() {
		if err := os.WriteFile(f.name, f.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func configFiles() []file {
	return []file{
		{filepath.Join(stateDir, "containerd.toml"), []byte(containerdConfig())},
		{filepath.Join(stateDir, "kubelet.yaml"), []byte(kubeletConfig())},
		{filepath.Join(cniConfigDir, "10-ptp.conflist"), []byte(cniConfig)},
	}
}

func writeSecrets() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	signing := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(stateDir, "pki", "service-accounts.key"), signing, 0o600); err != nil {
		return err
	}
	tokens := newTokens()
	for _, id := range identities {
		if err := os.WriteFile(kubeconfigOf(id.name), []byte(kubeconfig(id.name, tokens[id.name])), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(tokensPath, []byte(tokenFile(tokens)), 0o600)
}

// newTokens returns a new random token for the name of each identity.
func newTokens() map[string]string {
	tokens := map[string]string{}
	for _, id := range identities {
		tokens[id.name] = rand.Text()
	}
	return tokens
}

// tokenFile returns the tokens in the API server's format: token, user, UID, groups.
func tokenFile(tokens map[string]string) string {
	var csv strings.Builder
	for i, id := range identities {
		fmt.Fprintf(&csv, "%s,%s,%d,%q\n", tokens[id.name], id.user, i, id.group)
	}
	return csv.String()
}

func kubeconfig(user, token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: kubectl-pprof-test
  cluster: {server: %q, certificate-authority: %q}
users:
- name: %s
  user: {token: %s}
contexts:
- name: kubectl-pprof-test
  context: {cluster: kubectl-pprof-test, user: %s}
current-context: kubectl-pprof-test
`, apiserverURL, apiserverCert, user, token, user)
}

// containerdConfig returns containerd's configuration. It restricts oom_score_adj because a machine
// without CAP_SYS_RESOURCE cannot lower a sandbox's score, and keeps network namespaces below our own
// directory so that `down` finds them all.
func containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`, filepath.Join(stateDir, "containerd"), filepath.Join(runDir, "containerd"), containerdSocket, pauseImage, cniConfigDir)
}

// kubeletConfig returns the kubelet's configuration. Anonymous access is possible from loopback only.
// The eviction thresholds are small because a development machine's disk is often fuller than a
// node's. Images are never collected, because there is no registry to pull them from again. iptables
// rules are off, because they would stay behind.
func kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: %d
healthzPort: %d
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
resolvConf: ""
containerRuntimeEndpoint: unix://%s
evictionHard: {memory.available: 50Mi, nodefs.available: 1%%, imagefs.available: 1%%}
imageGCHighThresholdPercent: 100
makeIPTablesUtilChains: false
podLogsDir: %s
volumePluginDir: %s
`, kubeletPort, healthzPort, containerdSocket, podLogsDir, filepath.Join(stateDir, "volume-plugins"))
}

// cniConfig connects a pod to the host by a veth pair, without NAT: no traffic leaves the machine.
const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "kubectl-pprof",
  "plugins": [{
    "type": "ptp",
    "ipMasq": false,
    "ipam": {"type": "host-local", "dataDir": "` + runDir + `/ipam",
             "ranges": [[{"subnet": "` + podSubnetPrefix + `0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
`
