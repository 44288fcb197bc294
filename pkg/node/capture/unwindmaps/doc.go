//go:build linux

// Package unwindmaps loads the maps that the BPF unwinder searches: the unwind tables of objects, and the address
// ranges of processes that refer to them. Its entry points are Tables.Lookup and Ranges.Set.
package unwindmaps
