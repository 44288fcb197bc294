//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Disk space that is needed, with some reserve: for images and etcd's data in the state directory, and
// for the compiled packages of Kubernetes in Go's build cache.
const (
	stateBytes = 1 << 30
	buildBytes = 4 << 30
)

// checkMachine returns an error of one sentence if a cluster cannot run on this machine.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("the test cluster runs containerd and a kubelet, so it must be started as root; set KUBECONFIG to use another cluster")
	}
	if nodeIP() == "" {
		return errors.New("this machine has no IPv4 address besides loopback, and a kubelet needs one")
	}
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	return checkDisk(stateDir, stateBytes)
}

func checkDisk(dir string, need uint64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if free := s.Bavail * uint64(s.Bsize); free < need {
		return fmt.Errorf("the disk of %s has %d MB free, %d MB are needed; make room and try again", dir, free>>20, need>>20)
	}
	return nil
}

func checkPorts(all []component) error {
	for _, c := range all {
		for _, port := range c.ports {
			if err := portFree(port); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

func portFree(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d of 127.0.0.1 is in use by another program (find it with `ss -ltnp sport = :%d`)", port, port)
	}
	if err != nil {
		return fmt.Errorf("port %d: %w", port, err)
	}
	return l.Close()
}

// nodeIP returns an address of this machine, or "" if there is none. The kubelet insists on one that is
// not loopback.
func nodeIP() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}
