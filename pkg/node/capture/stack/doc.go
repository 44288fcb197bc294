//go:build linux

// Package stack adds up equal stacks. Its entry points are Table.FindOrAdd and Table.Add. The memory for distinct stacks is
// bounded, and what does not fit is counted.
package stack
