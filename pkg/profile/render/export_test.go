package render

import "strings"

// RandomStacks returns a small profile, the same for equal seeds.
var RandomStacks = randomStacks

// EncodedKind is the KindFunc that Write passes to embed.Encode.
var EncodedKind = encodedKind

// ScriptParts returns source files of the script, with the constants before them.
func ScriptParts(files ...string) (string, error) {
	config, _, _ := strings.Cut(strings.TrimPrefix(configured("html"), "(function () {\n"), "\n")
	for _, f := range files {
		source, err := web.ReadFile("web/" + f)
		if err != nil {
			return "", err
		}
		config += "\n" + string(source)
	}
	return config, nil
}
