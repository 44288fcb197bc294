//go:build linux

// Package builder makes unsymbolized profiles of stacks: locations with addresses and mappings, but without functions. Its
// entry point is New. It must not depend on how stacks are sampled.
package builder
