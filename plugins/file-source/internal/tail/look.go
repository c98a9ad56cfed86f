package tail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// look gathers what stands under a path and what looks like its rotated versions. The pattern for those is a glob, or
// empty for the usual names (see IsRotatedName). Their contents are compared with a fingerprint, if there is one.
func look(path, pattern string, at Offset) (View, error) {
	var view View
	info, err := os.Stat(path)
	switch {
	case err == nil:
		c := examine(path, info, at)
		view.Current = &c
	case !errors.Is(err, fs.ErrNotExist):
		return view, err
	}
	paths, err := rotatedPaths(path, pattern)
	if err != nil {
		return view, err
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && p != path {
			view.Rotated = append(view.Rotated, examine(p, info, at))
		}
	}
	return view, nil
}

func rotatedPaths(path, pattern string) ([]string, error) {
	if pattern != "" {
		return filepath.Glob(pattern)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, nil //nolint:nilerr // a folder may be passable but not readable; then there is nothing to know
	}
	var paths []string
	for _, e := range entries {
		if IsRotatedName(filepath.Base(path), e.Name()) {
			paths = append(paths, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return paths, nil
}

// IsRotatedName tells whether name is what rotation usually makes of base: base, then one of ". - _", then a digit, as
// in app.log.1, app.log.2.gz, app.log-20261121, app.log.2026-11-21.
func IsRotatedName(base, name string) bool {
	rest, found := strings.CutPrefix(name, base)
	return found && len(rest) >= 2 && strings.ContainsRune(".-_", rune(rest[0])) && rest[1] >= '0' && rest[1] <= '9'
}

func examine(path string, info fs.FileInfo, at Offset) Candidate {
	c := Candidate{Path: path, Inode: inode(info), Size: info.Size(), Modified: info.ModTime()}
	if !info.Mode().IsRegular() {
		return c
	}
	in, err := openInput(path)
	if err != nil {
		return c // the error is told when this file is the one to be read
	}
	defer in.close()
	c.Gzip = in.zip
	if at.Print.Known() {
		before, err := in.seek(at.Position)
		n := at.Print.Length
		c.Matches = err == nil && len(before) >= n && printOf(before[len(before)-n:]) == at.Print
	}
	return c
}

// inode returns 0 where the system has none.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

var errShort = errors.New("the file is shorter than the position")

// discard reads n bytes and returns the last of them, at most printBytes.
func discard(r io.Reader, n int64) ([]byte, error) {
	if _, err := io.CopyN(io.Discard, r, max(0, n-printBytes)); err != nil {
		return nil, shortOr(err)
	}
	before := make([]byte, min(n, printBytes))
	if _, err := io.ReadFull(r, before); err != nil {
		return nil, shortOr(err)
	}
	return before, nil
}

func shortOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}
