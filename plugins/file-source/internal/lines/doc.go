// Package lines finds the line boundaries in blocks of bytes.
//
// It is pure: a block and an ending rule go in, offsets into that block come out. Nothing is copied and nothing is
// allocated per line, so the caller can copy each line once, straight from its read buffer to where the line belongs.
// Bytes that do not yet make a whole line are left to the caller, who presents them again with what follows.
//
// It knows nothing of files (package tail reads them) or of what a line means (package format).
package lines
