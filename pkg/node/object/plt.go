package object

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// maxPLTRelocations limits the relocations of one section that are searched for the names of stubs.
const maxPLTRelocations = 2 << 20

// maxPLT limits the sections with stubs that are used. Linkers write up to three: .plt, .plt.got and
// .plt.sec.
const maxPLT = 16

// PLT returns the sections with the linker's stubs (procedure linkage tables), at most 16.
func (f *File) PLT() []*elf.Section {
	var all []*elf.Section
	for _, s := range f.Sections {
		if len(all) < maxPLT && strings.HasPrefix(s.Name, ".plt") && s.Flags&elf.SHF_EXECINSTR != 0 && s.Type == elf.SHT_PROGBITS && s.Addr+s.Size > s.Addr {
			all = append(all, s)
		}
	}
	return all
}

// StubTargets returns, for those of the addresses that are in the linker's stubs, the names of the
// functions that these call. A stub has no symbol of its own: it jumps to where a word of the global
// offset table (GOT) points, and the relocation of that word has the name. Stubs of 32-bit objects are
// not read.
func (f *File) StubTargets(addresses []uint64) map[uint64]string {
	if f.Class == elf.ELFCLASS32 {
		return nil
	}
	slots := map[uint64]uint64{} // by the address in the stub
	for _, s := range f.PLT() {
		for _, a := range addresses {
			if a < s.Addr || a-s.Addr >= s.FileSize {
				continue
			}
			if slot, ok := stubSlot(f.Machine, s, a); ok {
				slots[a] = slot
			}
		}
	}
	names := map[uint64]string{}
	if len(slots) == 0 {
		return names
	}
	bySlot := f.slotNames(slots)
	for a, slot := range slots {
		if name := bySlot[slot]; name != "" {
			names[a] = name
		}
	}
	return names
}

// stubSlot returns the address of the word in the GOT that the stub at an address jumps through.
func stubSlot(machine elf.Machine, s *elf.Section, address uint64) (uint64, bool) {
	switch machine {
	case elf.EM_X86_64:
		return stubSlotAMD64(s, address)
	case elf.EM_AARCH64:
		return stubSlotARM64(s, address)
	}
	return 0, false
}

// stubSlotAMD64 decodes a stub of 16 bytes, or of 8 in .plt.got without endbr64. It has one jmp
// *offset(%rip), which is ff 25 and four bytes (System V ABI, AMD64 supplement, "Procedure Linkage
// Table").
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

// stubSlotARM64 decodes adrp x16, page; ldr x17, [x16, offset]; add x16, x16, offset; br x17, which
// bti c precedes in programs with branch protection (ELF for the Arm 64-bit Architecture,
// "Procedure Linkage Table").
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

// slotNames returns the names of the symbols whose addresses the dynamic linker writes into words
// of the GOT.
func (f *File) slotNames(slots map[uint64]uint64) map[uint64]string {
	names := map[uint64]string{}
	for _, slot := range slots {
		names[slot] = ""
	}
	jump, data := uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_GLOB_DAT)
	if f.Machine == elf.EM_AARCH64 {
		jump, data = uint32(elf.R_AARCH64_JUMP_SLOT), uint32(elf.R_AARCH64_GLOB_DAT)
	}
	for _, s := range f.RelocationSections() {
		table := f.linked(s)
		if table == nil || table.Type != elf.SHT_DYNSYM {
			continue
		}
		for r, err := range f.Relocations(s, maxPLTRelocations*relocationSize) {
			if err != nil {
				break
			}
			if known, wanted := names[r.Address]; wanted && known == "" && (r.Type == jump || r.Type == data) {
				if symbol, ok := f.symbol(table, r.Symbol); ok {
					names[r.Address] = symbol.Name()
				}
			}
		}
	}
	return names
}
