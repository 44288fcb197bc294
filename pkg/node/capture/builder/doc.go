//go:build linux

// Package builder builds unsymbolized profiles from stacks: their locations have addresses and
// mappings, but no functions. Its entry point is New. It must not depend on how stacks are sampled.
package builder
