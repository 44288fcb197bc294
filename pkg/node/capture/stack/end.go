//go:build linux

package stack

// End describes how a user stack ends at its root.
type End uint8

const (
	Complete  End = iota // at the thread's entry function
	Truncated            // deeper than the recording limit
	Broken               // the next caller could not be found
	NotWalked            // the stack was not walked
	Running              // the goroutine was running, so its stack could not be read from memory
	Torn                 // the goroutine changed during every attempt to read its stack
)
