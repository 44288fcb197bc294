package symbol

import "github.com/kubectl-pprof/kubectl-pprof/pkg/node/object"

// codeTable is a table by which a language's runtime finds its own functions. It has more than
// symbols and debugging information, and is used instead of them.
type codeTable interface {
	// covers reports whether the table describes the code at an address of the object's own numbering.
	covers(address uint64) bool
	// frames returns the functions at an address, inlined ones first.
	frames(address uint64) []frame
}

// codeTables open the tables of the supported runtimes. They return nil for an object without such
// a table.
var codeTables = []func(*object.File) codeTable{openGoTable}
