//go:build linux

package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"hash/crc32"
	"io"
	"path"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// Bounds on what a search for a debug file reads.
const (
	maxDebugLink = 4 << 10   // bytes of the section that names it
	maxChecksum  = 512 << 20 // bytes of a file whose checksum is computed
)

// openDebugFile finds the file into which an object's symbols were split off, where gdb would look for
// it in the target's root (gdb's manual, "Separate Debug Files"); nil if it is not there.
func openDebugFile(object *proc.File, f *elf.File) *proc.File {
	if id := object.BuildID(); isHex(id) && len(id) > 2 {
		debug, err := object.OpenInRoot("/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug")
		if err == nil {
			if debug.BuildID() == id {
				return debug
			}
			debug.Close()
		}
	}
	name, checksum, ok := debugLink(f)
	if !ok {
		return nil
	}
	dir := path.Dir(object.Path())
	for _, candidate := range []string{
		path.Join(dir, name), path.Join(dir, ".debug", name), path.Join("/usr/lib/debug", dir, name),
	} {
		debug, err := object.OpenInRoot(candidate)
		if err != nil {
			continue
		}
		if belongs(debug, object, checksum) {
			return debug
		}
		debug.Close()
	}
	return nil
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// debugLink reads the section .gnu_debuglink: a file name, zeros up to four bytes, the file's CRC-32.
func debugLink(f *elf.File) (name string, checksum uint32, ok bool) {
	s := f.Section(".gnu_debuglink")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return "", 0, false
	}
	raw := make([]byte, min(s.FileSize, maxDebugLink))
	n, _ := s.ReadAt(raw, 0)
	raw = raw[:n]
	end := bytes.IndexByte(raw, 0)
	if end <= 0 {
		return "", 0, false
	}
	at := (end + 4) &^ 3
	if at+4 > len(raw) {
		return "", 0, false
	}
	name = path.Base(string(raw[:end]))
	return name, f.ByteOrder.Uint32(raw[at:]), name != "." && name != ".." && name != "/"
}

// belongs goes by the build IDs where both have one, else by the checksum, for which all is read.
func belongs(debug, object *proc.File, checksum uint32) bool {
	if a, b := debug.BuildID(), object.BuildID(); a != "" && b != "" {
		return a == b
	}
	if debug.Size() > maxChecksum {
		return false
	}
	sum := crc32.NewIEEE()
	_, err := io.Copy(sum, io.NewSectionReader(debug, 0, debug.Size()))
	return err == nil && sum.Sum32() == checksum
}
