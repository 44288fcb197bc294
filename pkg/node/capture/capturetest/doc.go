//go:build linux

// Package capturetest starts programs in cgroups that look like those of containers, for tests of samplers.
package capturetest
