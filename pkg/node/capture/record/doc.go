//go:build linux

// Package record decodes the records that the BPF programs send through the ring buffer: samples,
// goroutine labels and totals of waits. Its entry points are ParseSample, LabelSets.Add and
// ParseWaitTotal; their input is not trusted. The formats are described in
// pkg/node/capture/bpf/README.md.
package record
