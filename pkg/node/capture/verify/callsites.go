//go:build linux

package verify

import (
	"encoding/binary"
	"runtime"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/process"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture/run"
)

// callSites decides whether addresses follow a call instruction, as return addresses do.
type callSites struct {
	known   map[callSite]bool // cached results
	reading *run.Allowance    // for reading code
}

type callSite struct {
	mapping *process.Mapping
	address uint64
}

// maxCallSites bounds the cached results.
const maxCallSites = 1 << 16

// follows reports whether the instruction before an address is a call. It also reports true if the code
// cannot be read, for example in anonymous memory, or if reading has taken too long.
func (c *callSites) follows(m *process.Mapping, address uint64) bool {
	if m.File == nil {
		return true
	}
	key := callSite{m, address}
	if yes, ok := c.known[key]; ok {
		return yes
	}
	if c.reading.Left() < 0 {
		return true
	}
	defer c.reading.Spend(time.Now())
	var before [8]byte
	at := int64(address - m.Start + m.Offset)
	yes := true
	if n, _ := m.File.ReadAt(before[:], at-int64(len(before))); n == len(before) {
		if runtime.GOARCH == "arm64" {
			yes = endsWithCallARM64(before[4:])
		} else {
			yes = endsWithCallAMD64(before[:])
		}
	}
	if c.known == nil {
		c.known = map[callSite]bool{}
	}
	if len(c.known) < maxCallSites {
		c.known[key] = yes
	}
	return yes
}

// endsWithCallAMD64 reports whether at least 7 bytes of code end with CALL rel32 (E8) or CALL r/m64 (FF /2)
// with any form of operand. Source: Intel SDM, volume 2, table 2-2 and "CALL".
func endsWithCallAMD64(code []byte) bool {
	n := len(code)
	if code[n-5] == 0xe8 {
		return true
	}
	for length := 2; length <= 7; length++ {
		at := code[n-length:]
		if at[0] == 0xff && at[1]>>3&7 == 2 && operandSize(at[1:]) == length-1 {
			return true
		}
	}
	return false
}

// operandSize returns the length in bytes of a ModRM byte with its SIB byte and displacement.
func operandSize(code []byte) int {
	mod, rm := code[0]>>6, code[0]&7
	size := 1
	if mod == 3 {
		return size
	}
	if rm == 4 { // a SIB byte
		size++
		if mod == 0 && len(code) > 1 && code[1]&7 == 5 {
			return size + 4
		}
	}
	switch {
	case mod == 1:
		size++
	case mod == 2, mod == 0 && rm == 5:
		size += 4
	}
	return size
}

// endsWithCallARM64 reports whether a 4-byte instruction is BL, BLR or a variant of BLR with pointer
// authentication. Source: Arm Architecture Reference Manual, C6.2.
func endsWithCallARM64(code []byte) bool {
	i := binary.LittleEndian.Uint32(code)
	return i&0xfc000000 == 0x94000000 || i&0xfffffc1f == 0xd63f0000 || i&0xfefff800 == 0xd63f0800
}
