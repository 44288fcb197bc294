//go:build linux

package main

import (
	"os"
	"strings"
	"syscall"
)

// makeMappings maps 65,000 pages of code, just below the kernel's limit of 65,530 mappings
// (vm.max_map_count), from a file whose path has almost 4 kB (PATH_MAX). The text of
// /proc/PID/maps then has 250 MB.
func makeMappings() (uintptr, error) {
	if err := os.Chdir("/tmp"); err != nil {
		return 0, err
	}
	for range 15 { // one directory at a time, because no system call takes a path of 4 kB
		dir := strings.Repeat("d", 250)
		if err := os.Mkdir(dir, 0o777); err != nil {
			return 0, err
		}
		if err := os.Chdir(dir); err != nil {
			return 0, err
		}
	}
	f, err := os.Create(strings.Repeat("f", 250))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.WriteAt(spin(0), 0); err != nil {
		return 0, err
	}
	if err := f.Truncate(pageSize); err != nil {
		return 0, err
	}
	code, err := mapCode(f, 0)
	if err != nil {
		return 0, err
	}
	// Neighbours with the same offset are not joined to one mapping.
	for range 65000 {
		if _, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, pageSize, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE, f.Fd(), 0); errno != 0 {
			return 0, errno
		}
	}
	return code, nil
}
