package discover

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Share is one task's part of the files: number Task of Tasks.
type Share struct{ Task, Tasks int }

// Takes tells whether a path belongs to the share. It depends on the path and the number of tasks only.
func (s Share) Takes(path string) bool {
	if s.Tasks <= 1 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(path))
	// FNV's low bits alone would follow the last characters of the path too closely.
	sum := h.Sum64()
	return int((sum^sum>>32)%uint64(s.Tasks)) == s.Task
}

// Patterns says which files are meant.
type Patterns struct {
	Include, Exclude []string
	// Rotated tells whether name is a rotated version of a file called base in the same folder.
	Rotated func(base, name string) bool
}

// Check tells which pattern is malformed or not absolute.
func Check(patterns []string) error {
	for _, p := range patterns {
		if _, err := filepath.Match(p, ""); err != nil {
			return fmt.Errorf("%q is not a valid pattern: use * ? and [abc]", p)
		}
		if !filepath.IsAbs(p) {
			return fmt.Errorf("%q is not an absolute path: start it with /", p)
		}
	}
	return nil
}

// Find lists the files of a share, sorted.
func Find(p Patterns, share Share) ([]string, error) {
	found := make(map[string]bool)
	for _, pattern := range p.Include {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		for _, path := range paths {
			found[path] = true
		}
	}
	var out []string
	for path := range found {
		if !share.Takes(path) || excluded(path, p.Exclude) || p.rotated(path, found) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

// excluded matches a pattern without a slash against the name, another against the whole path.
func excluded(path string, patterns []string) bool {
	for _, pattern := range patterns {
		subject := path
		if !strings.Contains(pattern, "/") {
			subject = filepath.Base(path)
		}
		if ok, _ := filepath.Match(pattern, subject); ok {
			return true
		}
	}
	return false
}

// rotated looks for a found file of which path is a rotated version: one whose name is a beginning of its name.
func (p Patterns) rotated(path string, found map[string]bool) bool {
	if p.Rotated == nil {
		return false
	}
	dir, name := filepath.Split(path)
	for i := 1; i < len(name); i++ {
		if found[dir+name[:i]] && p.Rotated(name[:i], name) {
			return true
		}
	}
	return false
}
