package api

import "strings"

// Kinds of the blocks in the log of a profiler that cannot be asked (package logs). A log has slices and progress
// while sampling goes on, and ends with the profile or the error; of several types, with one for each.
const (
	LogProgress = "progress" // a Progress as JSON
	LogSlice    = "slice"    // a profile, as /slice gives it
	LogProfile  = "profile"  // the whole, unless a comment says that it is partial
	LogError    = "error"    // an Error as JSON
)

// LogKind is the word for a block of that kind of a type of profile.
func LogKind(kind, profileType string) string { return kind + ":" + profileType }

// ParseLogKind takes that word apart.
func ParseLogKind(word string) (kind, profileType string) {
	kind, profileType, _ = strings.Cut(word, ":")
	return kind, profileType
}
