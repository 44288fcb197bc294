//go:build linux

// Package recordtest encodes records of the BPF programs for tests.
package recordtest
