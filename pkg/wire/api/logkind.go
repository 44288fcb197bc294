package api

import "strings"

// Kinds of blocks in the log of a profiler that no client can connect to (see package logs). While sampling goes on, the log
// gets slices and progress; in the end it gets one profile or error for each type.
const (
	LogProgress = "progress" // a Progress as JSON
	LogSlice    = "slice"    // a profile of what was sampled since the slice before
	LogProfile  = "profile"  // the whole profile, unless a comment says that it is partial
	LogError    = "error"    // an Error as JSON
)

// LogKind returns the word that marks a block of one of the kinds for a profile type.
func LogKind(kind string, t ProfileType) string { return kind + ":" + t.Name }

// ParseLogKind splits the word into the kind and the name of the profile type.
func ParseLogKind(word string) (kind, profileType string) {
	kind, profileType, _ = strings.Cut(word, ":")
	return kind, profileType
}
