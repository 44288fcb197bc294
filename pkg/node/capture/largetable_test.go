//go:build linux

package capture_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/capture"
	"github.com/kubectl-pprof/kubectl-pprof/test/need"
)

// An object with 2.2 million rows is unwound by its table, as far as the last of them.
func TestLargestUnwindTable(t *testing.T) {
	need.Root(t)
	program := compileC(t, "testdata/native.c", "-O2", "-fomit-frame-pointer", "-g", "-pthread", "-Wno-unused-result",
		"-no-pie", "-Wl,-Ttext-segment=0x40000000")
	describeMore(t, program, 1_100_000)
	s := startWithPipes(t, program, "deep")
	<-capture.UntilUsed(t, s.pid, 50*time.Millisecond).Done() // wait until it is initialized
	right := func(p *profile.Profile) int64 {
		return samplesAt(p, "burn,link1,link2,link3,link4,link5,deep,main,__libc_start_call_main,")
	}
	loaded := false // on a busy machine, samples come before the table has been
	mostly := nearlyAll(50, 0.95, right)
	p := sampleUntil(t, s, capture.Options{Frequency: 199}, func(slice *profile.Profile) bool {
		loaded = mostly(slice)
		return loaded
	})
	if !loaded {
		t.Errorf("of %d samples %d are unwound to main; %q", total(p), right(p), p.Comments)
	}
}

// describeMore adds entries to the .eh_frame of a program: functions of 8 bytes with two rows each, at addresses below the
// program's.
func describeMore(t *testing.T, path string, functions int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	section := f.Section(".eh_frame")
	content, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	content = content[:len(content)-4] // without the end mark
	le := binary.LittleEndian
	entry := func(body ...byte) {
		content = append(le.AppendUint32(content, uint32(len(body))), body...)
	}
	// Version 1, absolute addresses of 4 bytes, alignments 1 and -8, return address 16; CFA rsp+8, return address at CFA-8.
	cie := len(content)
	entry(0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x03, 0x0c, 7, 8, 0x90, 1)
	for i := range uint32(functions) {
		body := le.AppendUint32(nil, uint32(len(content)+4-cie))
		body = le.AppendUint32(body, 0x10000000+8*i)
		body = le.AppendUint32(body, 8)
		entry(append(body, 0, 0x41, 0x0e, 16, 0x41, 0x0e, 8)...) // from byte 1 CFA rsp+16, from byte 2 rsp+8
	}
	content = append(content, 0, 0, 0, 0)
	for i, s := range f.Sections {
		if s == section {
			header := data[le.Uint64(data[0x28:])+64*uint64(i):] // e_shoff, Elf64_Shdr
			le.PutUint64(header[24:], uint64(len(data)))         // sh_offset
			le.PutUint64(header[32:], uint64(len(content)))      // sh_size
		}
	}
	if err := os.WriteFile(path, append(data, content...), 0o755); err != nil {
		t.Fatal(err)
	}
}
