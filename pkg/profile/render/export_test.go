package render

import "strings"

// RandomStacks makes a small profile; equal seeds make equal ones.
var RandomStacks = randomStacks

// EncodedKind is what Write gives to embed.Encode.
var EncodedKind = encodedKind

// ScriptParts are source files of the script behind what is configured for both forms.
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
