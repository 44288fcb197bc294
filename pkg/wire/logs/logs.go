// Package logs transfers blocks of bytes through a container's log, for users who may only read logs. Its entry points are
// NewWriter, inside the container, and Read, outside. It must not depend on what the blocks hold.
//
// Container runtimes split lines of 16 KiB, rotation removes the beginning of a log, and other programs may write to it. A block is
// therefore a series of short numbered lines, and its first line has the block's length and digest:
//
//	FLAMEGRAPH_DATA: BLOCK 0/LINES KIND LENGTH SHA256
//	FLAMEGRAPH_DATA: BLOCK LINE/LINES BASE64
//
// BLOCK counts from 1 in each log, LINE from 0 to LINES, LENGTH is in bytes, SHA256 in hexadecimal digits.
package logs

const (
	prefix = "FLAMEGRAPH_DATA: "
	// perLine is the number of bytes of a block in a line: 12,000 characters of base64.
	perLine = 9000
	// maxLine is the length at which container runtimes split lines (CRI; containerd, internal/cri/config).
	maxLine = 16 << 10
	// maxBlock is the largest block accepted, in bytes.
	maxBlock = 64 << 20
)

// Block is a block that arrived completely.
type Block struct {
	Number int
	Kind   string // a word, chosen by the writer
	Data   []byte
}
