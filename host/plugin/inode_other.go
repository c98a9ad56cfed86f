//go:build !linux

package plugin

import "io/fs"

func inode(fs.FileInfo) (number uint64, changeNanos int64) { return 0, 0 }
