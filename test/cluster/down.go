//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// down kills every process of the cluster and removes its mounts, network namespaces with their links,
// cgroups and files. It finds them by inspecting the machine, so it also works after a component or
// this program was killed.
func down(context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("the test cluster runs as root, so only root can stop it")
	}
	if err := stopAll(); err != nil {
		return err
	}
	if err := removeForeignFiles(); err != nil {
		return err
	}
	for _, dir := range []string{stateDir, runDir} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// stopAll does what down does, except that it keeps the files.
func stopAll() error {
	if err := killAll(); err != nil {
		return err
	}
	if err := unmountAll(); err != nil {
		return err
	}
	if err := removeLinks(); err != nil {
		return err
	}
	removeCgroups()
	return nil
}

// killAll repeats until it finds no process, because a kubelet or containerd may start one between
// listing and killing.
func killAll() error {
	for {
		pids := append(nodeProcesses(), containerProcesses()...)
		if len(pids) == 0 {
			return nil
		}
		if err := kill(pids); err != nil {
			return err
		}
	}
}

// unmountAll unmounts everything below our directories, in reverse order of mounting. A network
// namespace is such a mount (nsfs) and is destroyed with it.
func unmountAll() error {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	lines := strings.Split(string(table), "\n")
	slices.Reverse(lines)
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], stateDir+"/") && !strings.HasPrefix(fields[1], runDir+"/") {
			continue
		}
		path := strings.ReplaceAll(fields[1], `\040`, " ")
		err := syscall.Unmount(path, syscall.MNT_DETACH)
		// It was unmounted with its parent, or is hidden below another mount.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	return nil
}

// removeLinks waits until the kernel has removed the veth links, which happens shortly after it
// destroys the network namespace of their other end, and deletes those that stay. It finds them by
// the routes to their pods.
func removeLinks() error {
	deadline := time.Now().Add(3 * time.Second)
	for {
		out, err := exec.Command("ip", "-4", "route", "show").Output()
		if err != nil {
			return nil // a cluster needs iproute2, so there has been none
		}
		links := linksOfSubnet(string(out), podSubnetPrefix)
		if len(links) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, link := range links {
				if out, err := exec.Command("ip", "link", "delete", link).CombinedOutput(); err != nil {
					return fmt.Errorf("link %s: %w: %s", link, err, out)
				}
			}
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// linksOfSubnet reads lines of `ip route show` such as "10.88.77.5 dev veth12ab scope host".
func linksOfSubnet(routes, prefix string) []string {
	var links []string
	for line := range strings.Lines(routes) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "dev"); strings.HasPrefix(line, prefix) && i > 0 && i+1 < len(fields) {
			links = append(links, fields[i+1])
		}
	}
	return links
}
