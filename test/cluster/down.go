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

// down ends every process of the cluster and removes what it made: mounts, network namespaces with
// their links, cgroups, files. It asks the machine and not its own notes, so it also works after a
// kill.
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

// stopAll is down without the removal of files.
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

// killAll repeats until nothing is found, for a kubelet or containerd may have started something
// between the look and the kill.
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

// unmountAll unmounts what is mounted below our directories, the last mounted first. A network
// namespace is such a mount (nsfs), and is gone with it.
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
		// Unmounted with its parent, or hidden below another mount.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	return nil
}

// removeLinks waits until the veth links are gone, which the kernel removes a moment after the
// network namespace that their other end is in; it deletes those that stay. They are found by the
// routes to their pods.
func removeLinks() error {
	deadline := time.Now().Add(3 * time.Second)
	for {
		out, err := exec.Command("ip", "-4", "route", "show").Output()
		if err != nil {
			return nil // without iproute2 there has been no cluster
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
