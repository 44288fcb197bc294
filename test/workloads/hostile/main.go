//go:build linux

// Command hostile does what a container can do against its profiler: it places symbolic links and
// files that block readers, maps broken and enormous files, uses names with markup and escape
// sequences, forks all the time, and tries to reach the profiler's socket and memory. It prints
// what it could reach, which must be nothing.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	names := flag.String("map", "names", "what /tmp/perf-1.map is: names, link or fifo")
	flag.Parse()
	if flag.Arg(0) == "exit" {
		return
	}
	if err := os.MkdirAll("/tmp", 0o777); err != nil {
		log.Fatal(err)
	}
	generated, err := anonymous()
	if err != nil {
		log.Fatal(err)
	}
	sparse, err := sparseELF("/tmp/sparse.so")
	if err != nil {
		log.Fatal(err)
	}
	if err := perfMap(*names, generated); err != nil {
		log.Fatal(err)
	}
	go attack()
	go forks()
	fmt.Println("ready")
	for {
		call(generated)
		call(sparse)
		runtime.Gosched() // Go cannot preempt foreign code, so without this the garbage collector would wait for ever
	}
}

// code returns machine code that counts down from a hundred million and returns.
func code() []byte {
	if runtime.GOARCH == "arm64" {
		return words(0xd29c2000, 0xf2a0bea0, 0xf1000400, 0x54ffffe1, 0xd65f03c0) // mov, movk x0; subs; b.ne; ret
	}
	return []byte{0xb8, 0x00, 0xe1, 0xf5, 0x05, 0xff, 0xc8, 0x75, 0xfc, 0xc3} // mov eax; dec eax; jnz; ret
}

func words(all ...uint32) (b []byte) {
	for _, w := range all {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// call calls code in memory. A Go function value is a pointer to a pointer to the code.
func call(at uintptr) {
	entry := &at
	f := *(*func())(unsafe.Pointer(&entry))
	f()
}

// anonymous maps code that no file contains, as a JIT compiler does.
func anonymous() (uintptr, error) {
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return 0, err
	}
	copy(page, code())
	return uintptr(unsafe.Pointer(&page[0])), nil
}

// sparseELF creates a sparse file of 10 GB and maps code from it. Its symbol table has 9 GB and
// names itself as its string table.
func sparseELF(path string) (uintptr, error) {
	const sections, size = 2 << 20, 10 << 30
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	machine := map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH]
	for at, v := range map[int]uint16{16: 3, 18: machine, 52: 64, 54: 56, 56: 1, 58: 64, 60: 3, 62: 1} {
		binary.LittleEndian.PutUint16(header[at:], v)
	}
	binary.LittleEndian.PutUint32(header[20:], 1)
	binary.LittleEndian.PutUint64(header[32:], 64)
	binary.LittleEndian.PutUint64(header[40:], sections)
	load := make([]byte, 56) // PT_LOAD, executable, all of the file
	binary.LittleEndian.PutUint32(load, 1)
	binary.LittleEndian.PutUint32(load[4:], 5)
	binary.LittleEndian.PutUint64(load[32:], size)
	binary.LittleEndian.PutUint64(load[40:], size)
	table := make([]byte, 3*64)
	for i, typ := range []uint32{2, 11} { // SHT_SYMTAB, SHT_DYNSYM
		s := table[(i+1)*64:]
		binary.LittleEndian.PutUint32(s[4:], typ)
		binary.LittleEndian.PutUint64(s[24:], 64)
		binary.LittleEndian.PutUint64(s[32:], 9<<30)
		binary.LittleEndian.PutUint32(s[40:], uint32(i+1))
		binary.LittleEndian.PutUint64(s[56:], 24)
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for at, data := range map[int64][]byte{0: append(header, load...), sections: table, 4096: code()} {
		if _, err := f.WriteAt(data, at); err != nil {
			return 0, err
		}
	}
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	page, err := syscall.Mmap(int(f.Fd()), 4096, 4096, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE)
	if err != nil {
		return 0, err
	}
	return uintptr(unsafe.Pointer(&page[0])), nil
}

// perfMap creates the file with names of generated code, in one of several hostile ways.
func perfMap(kind string, generated uintptr) error {
	const path = "/tmp/perf-1.map"
	switch kind {
	case "link": // to the profiler's own file, or to the node's files
		return os.Symlink("../../../../../../../../../proc/self/root/etc/passwd", path)
	case "fifo":
		return syscall.Mkfifo(path, 0o666)
	}
	name := "</title><script>alert(1)</script>\x1b]0;owned\x07\x1b[2J\u202e&\"'" + strings.Repeat("A", 1<<20)
	return os.WriteFile(path, fmt.Appendf(nil, "%x 1000 %s\n", generated, name), 0o666)
}

func forks() {
	for {
		cmd := exec.Command("/proc/self/exe", "exit")
		_ = cmd.Run()
		time.Sleep(5 * time.Millisecond)
	}
}

// attack tries to read every process except its own and its children.
func attack() {
	own, _ := os.Readlink("/proc/self/exe")
	for ; ; time.Sleep(20 * time.Millisecond) {
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			comm, _ := os.ReadFile(dir + "/comm")
			if strings.TrimSpace(string(comm)) != "profiler" {
				continue
			}
			fmt.Println("met", dir, own)
			for _, socket := range []string{"/run/kubectl-pprof.sock", "/tmp/kubectl-pprof.sock"} {
				if c, err := net.Dial("unix", dir+"/root"+socket); err == nil {
					fmt.Println("ESCAPED: connected to", socket)
					c.Close()
				}
			}
			for _, name := range []string{"/mem", "/environ", "/maps", "/root/profiler", "/fd/0", "/exe"} {
				if f, err := os.Open(dir + name); err == nil {
					if _, err := f.Read(make([]byte, 1)); err == nil {
						fmt.Println("ESCAPED: read", name)
					}
					f.Close()
				}
			}
			var pid int
			fmt.Sscanf(dir, "/proc/%d", &pid)
			if syscall.PtraceAttach(pid) == nil {
				fmt.Println("ESCAPED: traced")
				syscall.PtraceDetach(pid)
			}
		}
	}
}
