//go:build linux

// Package kernel checks what the node's kernel supports, and explains its refusals by the node's settings. Its entry points
// are Check and Explain. It must not depend on what is sampled.
package kernel
