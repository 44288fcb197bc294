//go:build linux

// Package verify checks the user stacks that the BPF program has walked, cuts them before frames that
// cannot be callers, and restores callers that the walk has missed. Its entry point is Checker.Check.
package verify
