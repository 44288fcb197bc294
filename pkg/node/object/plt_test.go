package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// There are two stubs at 0x10000, as binutils' linker writes them for arm64, the second with branch
// protection. Their words are at 0x2f018 and, at a lower address, at 0xe020.
func TestStubsOfARM64(t *testing.T) {
	code := binary.LittleEndian.AppendUint32(nil, 0xf00000f0) // adrp x16, 2f000
	for _, instruction := range []uint32{
		0xf9400e11, // ldr x17, [x16, #0x18]
		0x91006210, // add x16, x16, #0x18
		0xd61f0220, // br x17
		0xd503245f, // bti c
		0xd0fffff0, // adrp x16, e000
		0xf9401211, // ldr x17, [x16, #0x20]
		0x91008210, // add x16, x16, #0x20
		0xd61f0220, // br x17
	} {
		code = binary.LittleEndian.AppendUint32(code, instruction)
	}
	s := &elf.Section{SectionHeader: elf.SectionHeader{Addr: 0x10000}, ReaderAt: bytes.NewReader(code)}
	for offset := range uint64(len(code)) {
		want := uint64(0x2f018)
		if offset >= 16 {
			want = 0xe020
		}
		if got, ok := stubSlotARM64(s, 0x10000+offset); !ok || got != want {
			t.Errorf("%#x: got %#x, %v, want %#x", 0x10000+offset, got, ok, want)
		}
	}
}
