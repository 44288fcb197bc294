//go:build linux

// Package recordtest writes records as the BPF programs do, for tests.
package recordtest
