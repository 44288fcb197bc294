//go:build linux

// Package run holds what all samplers share: their options, their progress and their life cycle.
package run
