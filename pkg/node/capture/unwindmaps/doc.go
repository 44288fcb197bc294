//go:build linux

// Package unwindmaps loads unwind tables of objects, and the address ranges of processes that lead to them, into the maps
// that the BPF unwinder searches. Its entry points are Tables.Lookup and Ranges.Set.
package unwindmaps
