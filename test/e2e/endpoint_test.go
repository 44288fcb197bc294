//go:build linux

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// books is the package path of the functions of ledger and openledger.
const books = "github.com/kubectl-pprof/kubectl-pprof/test/workloads/ledger/books."

// ledger returns a container of the service ledger, without net/http/pprof, or openledger, with it.
// It is ready when the service accepts connections.
func ledger(program string, args ...string) corev1.Container {
	c := container("ledger", append([]string{"/" + program}, args...)...)
	c.Ports = []corev1.ContainerPort{{ContainerPort: 8080}}
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstrOf(8080)}},
		PeriodSeconds: 1,
	}
	return c
}

// A user who may only forward ports gets profiles from a program that serves net/http/pprof.
func TestProfilesFromAnOpenEndpoint(t *testing.T) {
	ns := namespace(t, "restricted")
	start(t, podOf(ns, "open", restricted(ledger("openledger", "-rate=512")))) // because runtime/pprof does not sample short bursts
	start(t, podOf(ns, "closed", restricted(ledger("ledger"))))
	user := userWith(t, ns)
	grantPrinted(t, ns, "--mode", "endpoint")

	r := refuse(t, []string{"--kubeconfig", user, "open", "-d", "1s"}, "--from-endpoint")
	t.Log(r.stderr)
	p, _ := profileOf(t, "--kubeconfig", user, "open", "--from-endpoint", "-d", "8s")
	expectFunctions(t, p, []string{books + "Spend"}, nil)
	expectComment(t, p, "endpoint: net/http/pprof at port 8080 of the container")
	expectComment(t, p, "pod: "+ns+"/open")
	p, _ = profileOf(t, "--kubeconfig", user, "open", "--from-endpoint=8080", "--type", "memory")
	expectBetween(t, "bytes held", valueOf(t, p, "inuse_space", books+"Remember"), 24*mib, 40*mib)
	refuse(t, []string{"--kubeconfig", user, "open", "--from-endpoint=8081", "-d", "1s"}, "port 8081", "connection refused")
	refuse(t, []string{"--kubeconfig", user, "closed", "--from-endpoint", "-d", "1s"}, "no net/http/pprof was found", "port 6060", "port 8080", "is not the index of net/http/pprof")
	other := userWith(t, namespace(t, ""))
	refuse(t, []string{"--kubeconfig", other, "-n", ns, "open", "--from-endpoint", "-d", "1s"}, "pods")
	few := namespace(t, "")
	start(t, podOf(few, "open", ledger("openledger")))
	refuse(t, []string{"--kubeconfig", userWith(t, few, mayGetPods), "open", "--from-endpoint", "-d", "1s"}, "pods/portforward", "kubectl pprof rbac")
}
