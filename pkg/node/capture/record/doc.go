//go:build linux

// Package record decodes the records that the BPF programs send through the ring buffer: samples, goroutine labels and
// waits. ParseSample, LabelSets.Add and ParseWaited are its entry points; their input is not trusted. The formats are those
// of the C structures in pkg/node/capture/bpf, described in the README there.
package record
