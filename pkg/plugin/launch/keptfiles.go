package launch

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// keptDirectory returns the directory for the descriptions of kept profilers, one file for each: in
// $XDG_CACHE_HOME, or its counterpart on other systems. It fails if the user has no home directory.
func keptDirectory() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "kubectl-pprof", "kept"), nil
}

// keptFile returns the name of the file for a target's profiler of a mode in a namespace. It is a
// hash, because these strings come from the API server.
func keptFile(mode Mode, namespace, targetID string) string {
	return fmt.Sprintf("%x.json", sha256.Sum256(fmt.Appendf(nil, "%q %q %q", mode, namespace, targetID)))
}

func readKept(mode Mode, namespace, targetID string) (*keptProfiler, error) {
	dir, err := keptDirectory()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(dir); err != nil {
		return nil, err
	}
	return readKeptFile(filepath.Join(dir, keptFile(mode, namespace, targetID)))
}

// checkPrivate returns an error if other users may create files in the directory: they could describe
// a container of theirs as a kept profiler. On Windows the permissions do not tell.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("other users may write to %s: make it private with chmod 700", dir)
	}
	return nil
}

func readKeptFile(path string) (*keptProfiler, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	k := new(keptProfiler)
	return k, json.Unmarshal(text, k)
}

// writeKept writes a description that only the user can read or change, and removes those whose
// profilers have passed their deadlines.
func writeKept(k *keptProfiler) error {
	dir, err := keptDirectory()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := checkPrivate(dir); err != nil {
		return err
	}
	removeExpired(dir, time.Now())
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*.tmp") // with permissions 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, keptFile(k.Mode, k.Namespace, k.TargetID)))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// removeExpired removes the descriptions of profilers that have exited by the given time.
func removeExpired(dir string, now time.Time) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, path := range files {
		if k, err := readKeptFile(path); err == nil && k.Deadline.Before(now) {
			os.Remove(path)
		}
	}
}
