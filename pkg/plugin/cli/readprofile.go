package cli

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/read"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render"
)

// Bounds of the notes that are printed for one file. Readers add at most five, of some 200
// characters; a hostile file may have any number of comments.
const (
	maxNotes      = 10
	maxNoteLength = 500 // in characters
)

// readProfile reads a profile from a file, or from stdin if the path is "-", and prints the notes of
// its reader to stderr.
func readProfile(path string, streams genericiooptions.IOStreams) (*profile.Profile, error) {
	p, err := read.File(path, streams.In)
	if err != nil {
		return nil, err
	}
	printNotes(streams.ErrOut, path, p)
	return p, nil
}

// printNotes prints what a profile's comments say about reading its file.
func printNotes(w io.Writer, path string, p *profile.Profile) {
	if path == "-" {
		path = "stdin"
	}
	for i, note := range meta.FileNote.All(p) {
		if i == maxNotes {
			fmt.Fprintf(w, "%s: more notes are in the comments of the profile\n", path)
			return
		}
		fmt.Fprintf(w, "%s: %s\n", path, render.Printable(shorten(note, maxNoteLength)))
	}
}
