//go:build linux

package symbol

import (
	"encoding/hex"
	"hash/crc32"
	"io"
	"path"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/node/proc"
)

// maxChecksum is the limit on a debug file whose checksum is computed, in bytes.
const maxChecksum = 512 << 20

// openDebugFile opens the file that the symbols of a stripped object were moved to, where gdb would
// look for it, in the target's root (gdb's manual, "Separate Debug Files"). It returns nil if there
// is none.
func openDebugFile(stripped *proc.File, f *object.File, d *deadline) *proc.File {
	if id := stripped.BuildID(); isHex(id) && len(id) > 2 {
		debug, err := stripped.OpenInRoot("/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug")
		if err == nil {
			if debug.BuildID() == id {
				return debug
			}
			debug.Close()
		}
	}
	name, checksum, ok := f.DebugLink()
	if !ok {
		return nil
	}
	dir := path.Dir(stripped.Path())
	for _, candidate := range []string{
		path.Join(dir, name), path.Join(dir, ".debug", name), path.Join("/usr/lib/debug", dir, name),
	} {
		debug, err := stripped.OpenInRoot(candidate)
		if err != nil {
			continue
		}
		if belongs(debug, stripped, checksum, d) {
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

// belongs reports whether a debug file belongs to a stripped object: by the build IDs if both have
// one, else by the checksum, for which it reads the whole file.
func belongs(debug, stripped *proc.File, checksum uint32, d *deadline) bool {
	if a, b := debug.BuildID(), stripped.BuildID(); a != "" && b != "" {
		return a == b
	}
	if debug.Size() > maxChecksum {
		return false
	}
	sum := crc32.NewIEEE()
	_, err := io.Copy(sum, io.NewSectionReader(timedFile{debug, d}, 0, debug.Size()))
	return err == nil && sum.Sum32() == checksum
}
