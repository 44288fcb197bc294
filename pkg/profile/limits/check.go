package limits

import (
	"errors"
	"fmt"
	"math"

	"github.com/google/pprof/profile"
)

// Check returns an error for a profile that exceeds the limits or cannot be shown: with IDs or numbers of values that do not
// match, without a sample type, or with values whose sum overflows. Profiles that pass can be written in all formats.
func Check(p *profile.Profile) error {
	if err := CheckSize(p); err != nil {
		return err
	}
	if len(p.SampleType) == 0 {
		return errors.New("the profile has no sample type, so it has no values")
	}
	return checkValues(p)
}

// CheckSize returns an error for a profile that exceeds the limits or that google/pprof finds invalid.
func CheckSize(p *profile.Profile) error {
	if err := p.CheckValid(); err != nil {
		return err
	}
	var b Budget
	if b.count(p); b.Err() != nil {
		return b.Err()
	}
	if err := checkFrames(p); err != nil {
		return err
	}
	return checkText(p)
}

// checkFrames counts the frames of all stacks, inlined calls included.
func checkFrames(p *profile.Profile) error {
	all := 0
	for _, s := range p.Sample {
		depth := 0
		for _, l := range s.Location {
			depth += max(len(l.Line), 1)
		}
		if err := CheckDepth(depth); err != nil {
			return err
		}
		if all += depth; all > MaxFrames {
			return fmt.Errorf("the stacks of the profile have more than %d frames together", MaxFrames)
		}
	}
	return nil
}

// CheckDepth returns an error for a stack of more frames than MaxDepth.
func CheckDepth(frames int) error {
	if frames > MaxDepth {
		return fmt.Errorf("a stack of the profile has %d frames; at most %d are possible", frames, MaxDepth)
	}
	return nil
}

// checkText counts the text that is processed when the profile is written.
func checkText(p *profile.Profile) error {
	room := MaxText
	var err error
	count := func(texts ...string) {
		for _, t := range texts {
			room -= len(t)
			if len(t) > MaxString {
				err = fmt.Errorf("a name or label in the profile has %d bytes; at most %d are possible", len(t), MaxString)
			}
		}
	}
	count(p.Comments...)
	for _, t := range p.SampleType {
		count(t.Type, t.Unit)
	}
	for _, m := range p.Mapping {
		count(m.File, m.BuildID)
	}
	for _, f := range p.Function {
		count(f.Name, f.SystemName, f.Filename)
	}
	for _, l := range p.Location {
		if l.Mapping != nil {
			count(l.Mapping.File)
		}
		for _, line := range l.Line {
			if f := line.Function; f != nil {
				count(f.Name, f.Filename)
			}
		}
	}
	for _, s := range p.Sample {
		for key, values := range s.Label {
			count(key)
			count(values...)
		}
		for key := range s.NumLabel {
			count(key)
			count(s.NumUnit[key]...)
		}
		if room < 0 {
			break
		}
	}
	if err == nil && room < 0 {
		err = fmt.Errorf("the names, paths and labels of the profile have more than %d MiB", MaxText>>20)
	}
	return err
}

// checkValues returns an error if the sum of the absolute values of a type overflows. All sums that are shown are then in range.
func checkValues(p *profile.Profile) error {
	for i, typ := range p.SampleType {
		room := int64(math.MaxInt64)
		for _, s := range p.Sample {
			v := s.Value[i]
			if v == math.MinInt64 {
				return fmt.Errorf("a value of %.80q is out of range", typ.Type)
			}
			if room -= max(v, -v); room < 0 {
				return fmt.Errorf("the values of %.80q are too large to be summed", typ.Type)
			}
		}
	}
	return nil
}
