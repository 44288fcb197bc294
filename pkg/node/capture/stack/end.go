//go:build linux

package stack

// End is how a user stack ends at its root.
type End uint8

const (
	Complete  End = iota // where its thread began
	Truncated            // deeper than what is recorded
	Broken               // the walk went astray
	NotWalked            // there was no walk
	Running              // of a goroutine that runs: it is nowhere in memory
	Torn                 // of a goroutine that changed with every reading
)
