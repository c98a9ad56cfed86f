package plugin

import (
	"io/fs"
	"syscall"
)

// inode returns a file's inode and its change time in nanoseconds.
func inode(info fs.FileInfo) (number uint64, changeNanos int64) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino, stat.Ctim.Nano()
	}
	return 0, 0
}
