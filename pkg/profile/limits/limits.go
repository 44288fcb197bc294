// Package limits bounds what a received profile may cost. Its entry points are Gunzip and Inflate, which decompress; Budget,
// which a parser charges before it allocates; and Check, for a complete profile. Everything that reads a profile uses them, so
// the package must not depend on any other package of this module.
package limits

import (
	"fmt"

	"github.com/google/pprof/profile"
)

// Limits on one profile. Large profiles of real programs, 30 s of 64 CPUs, have some 50,000 stacks of 30 frames, 100,000
// locations, 30,000 functions and 5 MB of names: 2 million elements, in 200 MB of memory.
const (
	// MaxFile is the largest size in bytes of a file that is read, compressed or not, or written.
	// The folded stacks of a very large profile (100,000 distinct stacks, 27 deep) take 132 MB.
	MaxFile = 512 << 20
	// MaxElements is the largest number of elements: samples with the locations, values and labels of each, locations with
	// their lines, functions, mappings, sample types, comments and strings.
	MaxElements = 5_000_000
	// MaxFrames is the largest number of frames of all stacks together. A location counts once for each inlined call.
	MaxFrames = 5_000_000
	// MaxDepth is the largest number of frames of one stack. A Java stack of 1 MiB has some 20,000 frames; most profilers
	// record at most 1,024.
	MaxDepth = 65_536
	// MaxMemory is the largest estimate of the bytes that a profile takes while it is read.
	MaxMemory = 512 << 20
	// MaxText is the largest number of bytes in the names, paths and labels that locations and samples refer to. A text counts
	// once for each reference, because the writers process it once for each.
	MaxText = 128 << 20
	// MaxString is the largest number of bytes of one name, path, label or comment. Names of C++ templates reach some 30 kB.
	MaxString = 1 << 20
)

// Estimates of the memory in bytes that an element takes while google/pprof decodes it: the struct, its pointer, its share of
// lists that grow and of the indexes by ID. Maps of labels are allocated for at least 8 labels (Go 1.24, internal/runtime/maps).
const (
	costNumber   = 24  // a value, or a sample's reference to a location
	costSample   = 180 // without labels
	costLabel    = 150
	costLabels   = 800 // of a sample with at least one label, besides costLabel for each
	costLocation = 250
	costLine     = 80
	costFunction = 250
	costMapping  = 300
	costString   = 24 // besides its bytes
)

// Budget counts what a profile takes while it is read. The zero value is a full budget. A parser charges elements and then looks
// at Err before it allocates them.
type Budget struct {
	elements, memory int
	err              error
}

// Err returns an error if the budget is exceeded.
func (b *Budget) Err() error { return b.err }

// charge adds n elements of the given cost in bytes.
func (b *Budget) charge(n, cost int) {
	switch {
	case b.err != nil:
	case n < 0 || n > MaxElements-b.elements:
		b.err = fmt.Errorf("the profile has more than %d elements (samples with the frames, values and labels of each, locations, functions, strings)", MaxElements)
	case n*cost > MaxMemory-b.memory:
		b.err = fmt.Errorf("the profile would take more than %d MiB of memory", MaxMemory>>20)
	default:
		b.elements += n
		b.memory += n * cost
	}
}

// Numbers charges values of samples, or references from samples to locations.
func (b *Budget) Numbers(n int) { b.charge(n, costNumber) }

// Samples charges samples without their values, stacks and labels.
func (b *Budget) Samples(n int) { b.charge(n, costSample) }

// Labels charges the labels of one sample.
func (b *Budget) Labels(n int) {
	if n > 0 {
		b.memory += costLabels
		b.charge(n, costLabel)
	}
}

// Locations charges locations without their lines.
func (b *Budget) Locations(n int) { b.charge(n, costLocation) }

// Lines charges lines of locations.
func (b *Budget) Lines(n int) { b.charge(n, costLine) }

// Functions charges functions.
func (b *Budget) Functions(n int) { b.charge(n, costFunction) }

// Mappings charges mappings.
func (b *Budget) Mappings(n int) { b.charge(n, costMapping) }

// Strings charges n strings, or sample types and comments, which have the same cost.
func (b *Budget) Strings(n int) { b.charge(n, costString) }

// String charges one string with its bytes.
func (b *Budget) String(length int) {
	if length > MaxString && b.err == nil {
		b.err = fmt.Errorf("a name or label in the profile has %d bytes; at most %d are possible", length, MaxString)
	}
	b.charge(1, costString+length)
}

// count charges all elements of a complete profile.
func (b *Budget) count(p *profile.Profile) {
	b.Strings(len(p.SampleType) + len(p.Comments))
	b.Samples(len(p.Sample))
	b.Locations(len(p.Location))
	b.Functions(len(p.Function))
	b.Mappings(len(p.Mapping))
	for _, s := range p.Sample {
		b.Numbers(len(s.Location) + len(s.Value))
		labels := 0
		for _, values := range s.Label {
			labels += len(values)
		}
		for _, values := range s.NumLabel {
			labels += len(values)
		}
		b.Labels(labels)
	}
	for _, l := range p.Location {
		b.Lines(len(l.Line))
	}
}
