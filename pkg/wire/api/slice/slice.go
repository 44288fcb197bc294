// Package slice defines the slices in which a running capture is sent, and adds them up to a
// profile. Its entry points are Encoder and Encode for the profiler, and Sum for the plugin. It must
// not depend on how slices are sent.
package slice

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/limits"
)

// Slice holds what a capture has gained since the slice before. It has no names, stacks or labels
// that an earlier slice of the capture has. IDs of mappings, functions and locations are those of
// google/pprof's proto/profile.proto, and count from 1 over all slices. Indexes of labels and
// stacks count from 0 over all slices.
type Slice struct {
	Number        int        `json:"number"`          // from 1
	Start         *Start     `json:"start,omitempty"` // in the first slice
	DurationNanos int64      `json:"durationNanos"`   // of the capture until now
	Comments      []string   `json:"comments"`        // on the capture until now; they replace those of earlier slices
	Mappings      []Mapping  `json:"mappings,omitempty"`
	Functions     []Function `json:"functions,omitempty"`
	Locations     []Location `json:"locations,omitempty"`
	Names         []Name     `json:"names,omitempty"` // of locations of this slice and earlier ones
	Labels        []Labels   `json:"labels,omitempty"`
	Stacks        []Stack    `json:"stacks,omitempty"`
	// Values has, for each stack that was sampled, its index and the increase of each of its values.
	Values []int64 `json:"values,omitempty"`
}

// Start holds the fields of profile.proto that stay the same during a capture.
type Start struct {
	TimeNanos         int64       `json:"timeNanos"`
	SampleType        []ValueType `json:"sampleType"`
	DefaultSampleType string      `json:"defaultSampleType,omitempty"`
	PeriodType        *ValueType  `json:"periodType,omitempty"`
	Period            int64       `json:"period,omitempty"`
}

// ValueType is the type and the unit of values.
type ValueType struct {
	Type string `json:"type"`
	Unit string `json:"unit"`
}

// Mapping is a new mapping.
type Mapping struct {
	Start   uint64 `json:"start"`
	Limit   uint64 `json:"limit"`
	Offset  uint64 `json:"offset,omitempty"`
	File    string `json:"file"`
	BuildID string `json:"buildID,omitempty"`
}

// Function is a new function.
type Function struct {
	Name       string `json:"name"`
	SystemName string `json:"systemName,omitempty"` // if it differs from Name
	Filename   string `json:"filename,omitempty"`
	StartLine  int64  `json:"startLine,omitempty"`
}

// Location is a new location.
type Location struct {
	Mapping uint64 `json:"mapping,omitempty"` // ID, 0 if there is none
	Address uint64 `json:"address,omitempty"`
	// Unknown names the location until a Name does.
	Unknown string `json:"unknown,omitempty"`
}

// Name holds the functions at a location, inlined ones first.
type Name struct {
	Location uint64 `json:"location"` // ID
	Lines    []Line `json:"lines"`
	Wrapper  bool   `json:"wrapper,omitempty"` // see package goframes
}

// Line is a function with the line at which it is.
type Line struct {
	Function uint64 `json:"function"` // ID
	Line     int64  `json:"line,omitempty"`
}

// Labels is a new set of labels.
type Labels struct {
	Text    map[string][]string `json:"text,omitempty"`
	Numbers map[string][]int64  `json:"numbers,omitempty"`
}

// Stack is a new stack.
type Stack struct {
	Labels    int      `json:"labels"`    // index
	Locations []uint64 `json:"locations"` // IDs, leaf first
}

const (
	// minPacked is the size of a slice in bytes from which compression is worth its time and
	// memory. In most captures only the first slices have as much.
	minPacked = 16 << 10
	// maxUnpacked is the largest size accepted, in bytes. A second of 64 CPUs at 999 Hz has 64,000
	// stacks at most. With 30 frames each they take 12 MB.
	maxUnpacked = 32 << 20
	// maxElements is the largest number of elements of arrays and objects accepted. Such a second
	// has 2 million. An element takes at most 56 bytes, while its JSON may have three.
	maxElements = 4 << 20
)

// Encode encodes a slice as JSON, and compresses a large one.
func Encode(s *Slice) ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil || len(data) < minPacked {
		return data, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = z.Write(data)
	err = errors.Join(err, z.Close())
	return packed.Bytes(), err
}

// Decode decodes what Encode has made. It does not check what the slice refers to; Sum.Add does.
func Decode(data []byte) (*Slice, error) {
	if !bytes.HasPrefix(data, []byte("{")) {
		var err error
		if data, err = limits.Gunzip(data, maxUnpacked); err != nil {
			return nil, fmt.Errorf("unpack a slice of the profile: %w", err)
		}
	}
	if len(data) > maxUnpacked {
		return nil, fmt.Errorf("a slice of the profile has more than %d MiB: %w", maxUnpacked>>20, limits.ErrTooLarge)
	}
	if countElements(data) > maxElements {
		return nil, fmt.Errorf("a slice of the profile has more than %d elements: %w", maxElements, limits.ErrTooLarge)
	}
	s := new(Slice)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("parse a slice of the profile: %w", err)
	}
	if s.Number < 1 {
		return nil, errors.New("a slice of the profile has no number")
	}
	return s, nil
}

// countElements returns at least the number of elements that a JSON text has: it also counts
// characters in strings.
func countElements(data []byte) (n int) {
	for _, before := range []string{",", "[", "{"} {
		n += bytes.Count(data, []byte(before))
	}
	return n
}
