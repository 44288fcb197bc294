//go:build linux

// Package stack aggregates equal stacks. Its entry points are Table.FindOrAdd and Table.Add. The memory for
// distinct stacks is bounded; samples that do not fit are counted.
package stack
