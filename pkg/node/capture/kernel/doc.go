//go:build linux

// Package kernel finds out what the node's kernel supports and refuses, and puts its refusals in terms of the node's
// settings. It must not depend on what is sampled.
package kernel
