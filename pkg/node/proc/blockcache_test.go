//go:build linux

package proc

import (
	"bytes"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
)

// Reads through blocks return what direct reads return, at any place and of any size, also while
// other files are read, and keep no more than maxBlocks blocks.
func TestReadsThroughBlocks(t *testing.T) {
	self := openSelf(t)
	random := rand.New(rand.NewSource(1))
	var files []*File
	for _, size := range []int{0, 1, blockSize - 1, blockSize, 5*blockSize + 17, 40 * blockSize} {
		content := make([]byte, size)
		random.Read(content)
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := self.OpenInRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		f.local = false
		files = append(files, f)
	}
	for range 3000 {
		f := files[random.Intn(len(files))]
		off := random.Int63n(f.Size() + 2)
		n := 1 + random.Intn(100)
		if random.Intn(10) == 0 {
			n = random.Intn(12 * blockSize)
		}
		got, want := make([]byte, n), make([]byte, n)
		gotN, gotErr := f.ReadAt(got, off)
		wantN, wantErr := pread(f.fd, want, off)
		if n == 0 && wantErr == nil && off >= f.Size() {
			wantErr = io.EOF
		}
		if gotN != wantN || gotErr != wantErr || !bytes.Equal(got, want) {
			t.Fatalf("file of %d bytes, %d bytes at %d: read %d, %v; want %d, %v", f.Size(), n, off, gotN, gotErr, wantN, wantErr)
		}
		if len(blocks.recent) > maxBlocks {
			t.Fatalf("%d blocks are kept", len(blocks.recent))
		}
	}
	for _, f := range files {
		f.Close()
	}
	for _, one := range blocks.recent {
		for _, f := range files {
			if one.file == f {
				t.Error("a block of a closed file is kept")
			}
		}
	}
}
