//go:build linux

// Package process tracks the sampled processes with their mappings and files. Its entry point is
// Table.Lookup. Files are opened when a process is first seen, so that its addresses can be symbolized
// after it has exited.
package process
