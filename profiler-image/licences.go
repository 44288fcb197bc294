package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// licenceFile matches the names of files that must be distributed with a binary.
var licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|patents)([-._].*)?$`)

// linkedPackage has the fields of `go list -json` that are used here.
type linkedPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// collectLicences gathers the licence files of the program, of Go's standard library and of every
// linked module, below licences/<module>@<version>/.
func collectLicences(ctx context.Context, arch string) ([]file, error) {
	out, err := goTool(ctx, arch, "list", "-deps", "-json=ImportPath,Dir,Standard,Module", program)
	if err != nil {
		return nil, err
	}
	goroot, err := goTool(ctx, arch, "env", "GOROOT", "GOVERSION")
	if err != nil {
		return nil, err
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(goroot)), "\n")
	c := licenceCollector{files: map[string]file{}}
	if err := c.add("std@"+version, root, root); err != nil {
		return nil, err
	}
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p linkedPackage
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the list of linked packages: %w", err)
		}
		if p.Standard {
			continue
		}
		if p.Module == nil {
			return nil, fmt.Errorf("package %s belongs to no module, so its licence is unknown", p.ImportPath)
		}
		name := p.Module.Path
		if !p.Module.Main {
			name += "@" + p.Module.Version
		}
		if err := c.add(name, p.Module.Dir, p.Dir); err != nil {
			return nil, err
		}
	}
	var files []file
	for _, f := range c.files {
		files = append(files, f)
	}
	return files, nil
}

type licenceCollector struct {
	files map[string]file // by name in the image
}

// add adds the licence files of a package's directory and of those above it, up to the module's,
// which must contain at least one.
func (c *licenceCollector) add(name, moduleDir, packageDir string) error {
	for dir := packageDir; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		found := false
		for _, e := range entries {
			if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			below, err := filepath.Rel(moduleDir, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			target := path.Join("licences", name, filepath.ToSlash(below))
			c.files[target] = file{name: target, mode: 0o644, content: content}
			found = true
		}
		if dir == moduleDir {
			if !found {
				return fmt.Errorf("module %s has no licence file in %s", name, moduleDir)
			}
			return nil
		}
		if !strings.HasPrefix(dir, moduleDir) {
			return fmt.Errorf("package directory %s is not below that of its module, %s", packageDir, moduleDir)
		}
	}
}
