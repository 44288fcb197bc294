// Package logs carries blocks of bytes through a container's log, for those who may read nothing else of it. Its
// entry points are NewWriter in the container and Read outside. It must not know what the blocks mean.
//
// A log loses its line breaks at 16 KiB, its beginning at rotation, and holds what others write as well. So a block is
// a number of short lines, each of which says which one it is, and its first line has the block's length and digest:
//
//	FLAMEGRAPH_DATA: BLOCK 0/LINES KIND LENGTH SHA256
//	FLAMEGRAPH_DATA: BLOCK LINE/LINES BASE64
//
// BLOCK counts from 1 in each log, LINE from 0 to LINES, LENGTH is in bytes, SHA256 in hexadecimal digits.
package logs

const (
	prefix = "FLAMEGRAPH_DATA: "
	// perLine is how many bytes of a block stand in a line: 12,000 characters of base64.
	perLine = 9000
	// maxLine is the length at which container runtimes split lines (CRI; containerd, internal/cri/config).
	maxLine = 16 << 10
	// maxBlock bounds what a log can make its reader hold, in bytes.
	maxBlock = 64 << 20
)

// Block is what arrived whole.
type Block struct {
	Number int
	Kind   string // a word
	Data   []byte
}
