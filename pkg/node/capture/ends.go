//go:build linux

package capture

// stackEnd is how a user stack ends at its root.
type stackEnd uint8

const (
	complete  stackEnd = iota // where its thread began
	truncated                 // deeper than what is recorded
	broken                    // the walk went astray
	notTaken                  // there was no walk
	running                   // of a goroutine that runs: it is nowhere in memory
	torn                      // of a goroutine that changed with every reading
)
