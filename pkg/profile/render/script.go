package render

import (
	"bytes"
	"compress/flate"
	"embed"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/profile/meta"
	payload "github.com/kubectl-pprof/kubectl-pprof/pkg/profile/render/embed"
)

//go:embed web/*.js
var web embed.FS

// scripts lists the source files of the script for each format, in order. All but the last are shared.
var scripts = map[string][]string{
	"svg":  {"profile.js", "tree.js", "names.js", "state.js", "keys.js", "svg.js"},
	"html": {"profile.js", "tree.js", "names.js", "state.js", "keys.js", "html.js"},
}

// script returns the script of a format without comments and indentation.
func script(form string) string { return stripped()[form] }

var stripped = sync.OnceValue(func() map[string]string {
	texts := map[string]string{}
	for form, files := range scripts {
		b := &strings.Builder{}
		b.WriteString("'use strict';\n")
		for _, f := range files {
			source, err := web.ReadFile("web/" + f)
			if err != nil {
				panic(err) // a file is missing in the program itself
			}
			strip(b, string(source))
		}
		texts[form] = b.String()
	}
	return texts
})

// strip removes indentation, empty lines and comment lines. The sources must not contain strings or comments of several lines,
// which a test checks.
func strip(out *strings.Builder, source string) {
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out.WriteString(line + "\n")
		}
	}
}

// packed returns the deflated script of a format, with a few lines that inflate and run it. In pages with small profiles the
// script is the largest part.
func packed(form string) string {
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	w.Write([]byte(configured(form))) // a buffer takes everything
	w.Close()
	return strings.Replace(unpack, "PACKED", base64.StdEncoding.EncodeToString(deflated.Bytes()), 1)
}

// unpack inflates and runs a packed script.
const unpack = `// Inflates and runs the script of this page; its source is in pkg/profile/render/web of kubectl pprof.
(async () => {
const packed = Uint8Array.from(atob("PACKED"), (c) => c.charCodeAt(0));
const script = document.createElement("script");
script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
document.head.append(script);
})();
`

// configured returns the script of a format with the constants that it shares with this package.
func configured(form string) string {
	words := make([]string, kinds)
	for k, look := range kindLook {
		words[k] = look.word
	}
	config, err := json.Marshal(map[string]any{
		"version":  payload.Version,
		"comments": map[string]string{"byThread": meta.By.Comment(meta.ByThread), "asShares": meta.Compared.Comment(meta.AsShares), "quanta": meta.SampleQuanta.Name() + ": "},
		"labels":   map[string]string{"process": meta.ProcessLabel.Name(), "pid": meta.PIDLabel.Name(), "thread": meta.ThreadLabel.Name()},
		"palette":  palette, "words": words, "smaller": smallerColor, "width": svgWidth, "margin": margin,
		"row": frameHeight, "foot": footHeight, "char": CharWidth,
		"change": map[string]any{"more": MoreColor, "less": LessColor, "fresh": NewColor, "same": SameColor},
		"native": kindNative, "process": kindProcess, "thread": kindThread,
	})
	if err != nil {
		panic(err) // all of it is constant
	}
	return "(function () {\nconst CONFIG = " + string(config) + ";\n" + script(form) + "})();\n"
}
