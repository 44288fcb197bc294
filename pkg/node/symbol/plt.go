//go:build linux

package symbol

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"io"
	"strings"
)

// maxPLTRelocations bounds the relocations that are looked through for the names of stubs.
const maxPLTRelocations = 2 << 20

// stubTargets names the functions that the linker's stubs call in which addresses are. A stub has no symbol: it
// jumps to where a word of the global offset table (GOT) points, and the relocation of that word has the name.
func stubTargets(f *elf.File, addresses []uint64) map[uint64]string {
	slots := map[uint64]uint64{} // of addresses
	for _, s := range f.Sections {
		if !strings.HasPrefix(s.Name, ".plt") || s.Flags&elf.SHF_EXECINSTR == 0 || s.Type != elf.SHT_PROGBITS {
			continue
		}
		for _, a := range addresses {
			if a < s.Addr || a-s.Addr >= s.FileSize {
				continue
			}
			if slot, ok := stubSlot(f, s, a); ok {
				slots[a] = slot
			}
		}
	}
	names := map[uint64]string{}
	if len(slots) == 0 {
		return names
	}
	bySlot := gotNames(f, slots)
	for a, slot := range slots {
		if name := bySlot[slot]; name != "" {
			names[a] = name
		}
	}
	return names
}

// stubSlot decodes the stub at an address for the address of its word in the GOT.
func stubSlot(f *elf.File, s *elf.Section, address uint64) (uint64, bool) {
	switch f.Machine {
	case elf.EM_X86_64:
		return stubSlotAMD64(s, address)
	case elf.EM_AARCH64:
		return stubSlotARM64(s, address)
	}
	return 0, false
}

// stubSlotAMD64: stubs of 16 bytes, in .plt.got of 8 unless with endbr64, have one jmp *offset(%rip), ff 25
// and four bytes (System V ABI, AMD64 supplement, "Procedure Linkage Table").
func stubSlotAMD64(s *elf.Section, address uint64) (uint64, bool) {
	size := uint64(16)
	if s.Entsize == 8 || s.Entsize == 16 {
		size = s.Entsize
	}
	var code [16]byte
	start := address - (address-s.Addr)%size
	n, _ := s.ReadAt(code[:size], int64(start-s.Addr))
	for i := 0; i+6 <= n; i++ {
		if code[i] == 0xff && code[i+1] == 0x25 {
			offset := int32(binary.LittleEndian.Uint32(code[i+2:]))
			return start + uint64(i) + 6 + uint64(int64(offset)), true
		}
	}
	return 0, false
}

// stubSlotARM64: adrp x16, page; ldr x17, [x16, offset]; add x16, x16, offset; br x17, with bti c before
// it in programs with branch protection (ELF for the Arm 64-bit Architecture, "Procedure Linkage Table").
func stubSlotARM64(s *elf.Section, address uint64) (uint64, bool) {
	const (
		adrpX16, adrpMask = 0x90000010, 0x9f00001f
		ldrX17, ldrMask   = 0xf9400211, 0xffc003ff
	)
	address &^= 3
	for _, at := range []uint64{address, address - 4, address - 8, address - 12, address + 4} {
		var code [8]byte
		if n, _ := s.ReadAt(code[:], int64(at-s.Addr)); at < s.Addr || n < 8 {
			continue
		}
		adrp, ldr := binary.LittleEndian.Uint32(code[:]), binary.LittleEndian.Uint32(code[4:])
		if adrp&adrpMask == adrpX16 && ldr&ldrMask == ldrX17 {
			pages := int64(int32(adrp<<8)>>13)<<2 | int64(adrp>>29&3) // 21 bits with a sign: bits 5 to 23, then 29 and 30
			return at&^0xfff + uint64(pages<<12) + uint64(ldr>>10&0xfff)*8, true
		}
	}
	return 0, false
}

// gotNames gives the symbols that the dynamic linker writes the addresses of into the wanted words.
func gotNames(f *elf.File, slots map[uint64]uint64) map[uint64]string {
	names := map[uint64]string{}
	for _, slot := range slots {
		names[slot] = ""
	}
	jump, data := uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_GLOB_DAT)
	if f.Machine == elf.EM_AARCH64 {
		jump, data = uint32(elf.R_AARCH64_JUMP_SLOT), uint32(elf.R_AARCH64_GLOB_DAT)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_RELA || s.Flags&elf.SHF_ALLOC == 0 || s.Link == 0 || uint64(s.Link) >= uint64(len(f.Sections)) {
			continue
		}
		r := bufio.NewReaderSize(io.NewSectionReader(s, 0, int64(s.FileSize)), 48<<10)
		var raw [24]byte
		for range maxPLTRelocations {
			if _, err := io.ReadFull(r, raw[:]); err != nil {
				break
			}
			slot, kind := f.ByteOrder.Uint64(raw[:]), f.ByteOrder.Uint32(raw[8:])
			if known, wanted := names[slot]; wanted && known == "" && (kind == jump || kind == data) {
				names[slot] = dynamicName(f, f.Sections[s.Link], f.ByteOrder.Uint32(raw[12:]))
			}
		}
	}
	return names
}

// dynamicName reads the name of one row of a symbol table.
func dynamicName(f *elf.File, table *elf.Section, row uint32) string {
	var raw [symbolSize]byte
	if table.Type != elf.SHT_DYNSYM || uint64(table.Link) >= uint64(len(f.Sections)) {
		return ""
	}
	if n, _ := table.ReadAt(raw[:], symbolSize*int64(row)); n < symbolSize {
		return ""
	}
	return elfSymbol{names: f.Sections[table.Link], name: f.ByteOrder.Uint32(raw[:])}.text()
}
