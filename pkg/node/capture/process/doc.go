//go:build linux

// Package process keeps track of the processes that samples come from: what they run, their mappings and files. Its entry
// point is Table.Lookup. Files are opened when a process is first seen, so that its addresses can be named after it has ended.
package process
