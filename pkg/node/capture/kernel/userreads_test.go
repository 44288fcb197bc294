//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/requirements"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

func TestJudgeVersion(t *testing.T) {
	cases := []struct {
		release, version, signature string
		want                        requirements.UserReads
	}{
		{"6.1.0-9-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)", "", requirements.UserReadsUnsafe},
		{"6.1.0-13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)", "", requirements.UserReadsSafe},
		{"6.1.0-13-amd64", "#1 SMP", "", requirements.UserReadsUnknown},
		{"6.2.0-39-generic", "#40-Ubuntu SMP", "Ubuntu 6.2.0-39.40-generic 6.2.16", requirements.UserReadsUnsafe},
		{"6.18.44", "#1 SMP", "", requirements.UserReadsSafe},
	}
	for _, c := range cases {
		if got := judgeVersion(c.release, c.version, c.signature); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}

// code of the test's functions: padding, and a call or jump to each target.
func assemble(arch string, address uint64, targets ...uint64) []byte {
	if arch == "arm64" {
		code := binary.LittleEndian.AppendUint32(nil, 0xd503233f) // paciasp
		for _, target := range targets {
			offset := int64(target-address-uint64(len(code))) / 4
			code = binary.LittleEndian.AppendUint32(code, 0x94000000|uint32(offset)&0x3ffffff) // bl
		}
		return binary.LittleEndian.AppendUint32(code, 0xd65f03c0) // ret
	}
	code := []byte{0xf3, 0x0f, 0x1e, 0xfa, 0x55} // endbr64; push %rbp
	for _, target := range targets {
		code = append(code, 0xe8)
		code = binary.LittleEndian.AppendUint32(code, uint32(target-address-uint64(len(code))-4))
	}
	return append(code, 0x5d, 0xc3) // pop %rbp; ret
}

func TestReachesLock(t *testing.T) {
	const base = 0xffffffff81000000
	const (
		read, check, heap, area, lock, other = base + 0x3000, base, base + 0x1000, base + 0x200000, base + 0x2000, base + 0x5000
	)
	cases := []struct {
		name  string
		calls map[uint64][]uint64
		want  bool
	}{
		{"6.1.25", map[uint64][]uint64{read: {other, check}, check: {other, lock}}, true},
		{"6.1.25, not inlined", map[uint64][]uint64{read: {check}, check: {heap}, heap: {lock}}, true},
		{"5.18", map[uint64][]uint64{read: {check}, check: {area}, area: {other}}, true},
		{"call depth tracking", map[uint64][]uint64{read: {check - 16}, check: {lock - 16}}, true},
		{"5.10", map[uint64][]uint64{read: {check}, check: {heap}, heap: {other}}, false},
		{"6.1.36", map[uint64][]uint64{read: {other}, check: {lock}}, false},
		{"calls itself", map[uint64][]uint64{read: {check}, check: {read, check}}, false},
	}
	functions := map[string][]function{}
	for name, address := range map[string]uint64{userRead: read, sizeChecker: check, heapChecker: heap, findVMArea: area, findVmapArea: lock} {
		functions[name] = []function{{name, address, 64}}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, c := range cases {
			k := kernelCode{arch, functions, func(f function) ([]byte, error) {
				return assemble(arch, f.address, c.calls[f.address]...), nil
			}}
			if got, err := k.reachesLock(); err != nil || got != c.want {
				t.Errorf("%s, %s: got %v, %v", arch, c.name, got, err)
			}
		}
	}
	k := kernelCode{"amd64", functions, func(function) ([]byte, error) { return nil, errors.New("locked down") }}
	if _, err := k.reachesLock(); err == nil {
		t.Error("no error although the code cannot be read")
	}
	delete(functions, userRead)
	if _, err := k.reachesLock(); err == nil {
		t.Error("no error although the function is missing")
	}
	functions[userRead] = []function{{userRead, read, 64}}
	withoutLock := map[string][]function{userRead: functions[userRead], sizeChecker: functions[sizeChecker]}
	if _, err := (kernelCode{"amd64", withoutLock, nil}).reachesLock(); err == nil {
		t.Error("no error although the functions that take the lock are missing")
	}
	delete(functions, sizeChecker)
	if reaches, err := k.reachesLock(); reaches || err != nil {
		t.Errorf("without CONFIG_HARDENED_USERCOPY: %v, %v", reaches, err)
	}
}

func TestIsFixed(t *testing.T) {
	const read, check, nmi, disabled = 0xffffffff81003000, 0xffffffff81000000, 0xffffffff81004000, 0xa48
	functions := map[string][]function{userRead: {{userRead, read, 64}}, sizeChecker: {{sizeChecker, check, 64}}, nmiCheck: {{nmiCheck, nmi, 64}}}
	fixed := map[uint64][]byte{
		read:  assemble("amd64", read, check, nmi),
		check: binary.LittleEndian.AppendUint32(nil, 0xb9400000|disabled/4<<10|1), // ldr w0, [x0, #0xa48]
	}
	affected := map[uint64][]byte{
		read:  assemble("amd64", read, check),
		check: binary.LittleEndian.AppendUint32(nil, 0xb9400000|(disabled+4)/4<<10),
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for want, code := range map[bool]map[uint64][]byte{true: fixed, false: affected} {
			k := kernelCode{arch, functions, func(f function) ([]byte, error) { return code[f.address], nil }}
			if got, err := k.isFixed(disabled); err != nil || got != want {
				t.Errorf("%s: got %v, %v, want %v", arch, got, err, want)
			}
		}
	}
}

func TestFindFunctions(t *testing.T) {
	const text = `ffffffff81000000 T _stext
ffffffff81000100 T copy_from_user_nofault
ffffffff81000180 t copy_from_user_nofault.cold
ffffffff810001c0 T next
ffffffff81000200 D find_vmap_area
ffffffffc0000000 t find_vmap_area	[module]
`
	found, err := findFunctions(strings.NewReader(text), userRead, findVmapArea)
	if err != nil {
		t.Fatal(err)
	}
	parts := found[userRead]
	if len(found) != 1 || len(parts) != 2 || parts[0].size != 0x80 || parts[1].size != 0x40 {
		t.Errorf("got %+v", found)
	}
	if _, err := findFunctions(strings.NewReader("0000000000000000 T copy_from_user_nofault\n"), userRead); err == nil {
		t.Error("no error although the addresses are hidden")
	}
}

// Kernels of 6.4 and later have the fix; the running kernel's own code must say so.
func TestReadsTheRunningKernelsCode(t *testing.T) {
	need.Root(t)
	release, err := Release()
	if err != nil {
		t.Fatal(err)
	}
	freezes, err := UserReadsCanFreeze()
	if err != nil {
		t.Fatal(err)
	}
	if want := requirements.UserReadsOf(release); want != requirements.UserReadsUnknown && freezes != (want == requirements.UserReadsUnsafe) {
		t.Errorf("Linux %s: reading user memory can freeze the kernel: %v", release, freezes)
	}
}
