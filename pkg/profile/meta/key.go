// Package meta defines the comments and labels of the profiles that kubectl pprof writes: their names, how their values are
// written and parsed, and how comments are joined when profiles are merged. Every other package uses these keys instead of
// strings of its own. It depends on no other package of this module.
package meta

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// separator stands between the key and the value of a comment.
const separator = ": "

// Key is the key of a comment, a line "key: value" among a profile's comments. T is the type of its values.
type Key[T any] struct {
	name   string
	format func(T) string
	parse  func(string) (T, error)
}

// Name returns the key as it is written.
func (k Key[T]) Name() string { return k.name }

// Comment returns the comment for a value.
func (k Key[T]) Comment(value T) string { return k.name + separator + k.format(value) }

// Is reports whether a comment has this key.
func (k Key[T]) Is(comment string) bool { return strings.HasPrefix(comment, k.name+separator) }

// Add appends a comment to the profile.
func (k Key[T]) Add(p *profile.Profile, value T) { p.Comments = append(p.Comments, k.Comment(value)) }

// Update replaces each value of this key by the one that change returns. Comments keep their places; those that cannot be
// parsed stay as they are.
func (k Key[T]) Update(p *profile.Profile, change func(T) T) {
	p.Comments = slices.Clone(p.Comments)
	for i, c := range p.Comments {
		if text, ok := strings.CutPrefix(c, k.name+separator); ok {
			if value, err := k.parse(text); err == nil {
				p.Comments[i] = k.Comment(change(value))
			}
		}
	}
}

// Remove removes all comments with this key.
func (k Key[T]) Remove(p *profile.Profile) {
	p.Comments = slices.DeleteFunc(slices.Clone(p.Comments), k.Is)
}

// Text returns the value of the first comment with this key as it is written, or "". Profiles from files are not trusted: the
// text may contain control characters.
func (k Key[T]) Text(p *profile.Profile) string {
	for _, c := range p.Comments {
		if text, ok := strings.CutPrefix(c, k.name+separator); ok {
			return text
		}
	}
	return ""
}

// Lookup returns the value of the first comment with this key and reports whether there is one that can be parsed.
func (k Key[T]) Lookup(p *profile.Profile) (value T, ok bool) {
	for _, c := range p.Comments {
		if text, found := strings.CutPrefix(c, k.name+separator); found {
			value, err := k.parse(text)
			return value, err == nil
		}
	}
	return value, false
}

// Get returns the value of the first comment with this key, or the zero value.
func (k Key[T]) Get(p *profile.Profile) T {
	value, ok := k.Lookup(p)
	if !ok {
		var zero T
		return zero
	}
	return value
}

// All returns the values of all comments with this key that can be parsed.
func (k Key[T]) All(p *profile.Profile) (values []T) {
	for _, c := range p.Comments {
		if text, ok := strings.CutPrefix(c, k.name+separator); ok {
			if value, err := k.parse(text); err == nil {
				values = append(values, value)
			}
		}
	}
	return values
}

// Has reports whether the profile has a comment with this key.
func (k Key[T]) Has(p *profile.Profile) bool { return slices.ContainsFunc(p.Comments, k.Is) }
