//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPortInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if err := portFree(port); err == nil || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("want an error that names port %d, got %v", port, err)
	}
	l.Close()
	if err := portFree(port); err != nil {
		t.Error(err)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"upp"}, {"load"}, {"up", "now"}} {
		if err := run(context.Background(), args); err == nil || !strings.Contains(err.Error(), "load IMAGE.tar") {
			t.Errorf("run(%q): want an error that lists the commands, got %v", args, err)
		}
	}
}

func TestMissingImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no.tar")
	if err := load(context.Background(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("want an error that names %s, got %v", path, err)
	}
}

func TestLinksOfSubnet(t *testing.T) {
	routes := "default via 172.16.0.1 dev eth0\n10.88.77.5 dev veth12ab scope host\n10.88.77.6 dev vethcd scope host\n"
	if got, want := linksOfSubnet(routes, "10.88.77."), []string{"veth12ab", "vethcd"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every component has its own ports and its own log.
func TestComponentsDoNotCollide(t *testing.T) {
	ports, names := map[int]string{}, map[string]bool{}
	for _, c := range components("/cache/controlplane") {
		if names[c.name] {
			t.Errorf("two components are called %s", c.name)
		}
		names[c.name] = true
		for _, p := range c.ports {
			if other := ports[p]; other != "" {
				t.Errorf("%s and %s both listen on %d", other, c.name, p)
			}
			ports[p] = c.name
		}
		if !strings.Contains(strings.Join(c.command, " "), stateDir) {
			t.Errorf("%s cannot be recognised by its command line: %v", c.name, c.command)
		}
	}
}

// The version that the API server reports is the one that is built.
func TestVersionIsThatOfGoMod(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "k8s.io/kubernetes "+kubernetesVersion+"\n") {
		t.Errorf("go.mod does not require k8s.io/kubernetes %s", kubernetesVersion)
	}
}

func TestBuildProgressKeepsTheError(t *testing.T) {
	var out strings.Builder
	p := newBuildProgress(&out)
	defer p.stop()
	fmt.Fprintf(p, "%s\nmain.go:1: oops\n", strings.Repeat("k8s.io/api\n", 1000))
	if tail := p.tail(); len(tail) > 2000 || !strings.HasSuffix(tail, "oops\n") {
		t.Errorf("tail of %d bytes: …%q", len(tail), tail[max(0, len(tail)-40):])
	}
}
