package server

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Cache returns a folder below .cache/ of this checkout, for what is fetched or built once, and holds its lock: other
// processes that want the same folder wait until unlock is called, or until this process ends.
func Cache(name string) (dir string, unlock func(), err error) {
	root, err := projectRoot()
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(root, ".cache", name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		lock.Close()
		return "", nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return dir, func() { lock.Close() }, nil // closing releases the lock
}

// projectRoot is the folder of go.mod, found upwards from the working directory: tests run in their package's folder.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod above %s: run this inside a checkout of Tailrace", dir)
		}
	}
}
