package tlsconfig

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the checksum of JKS files is SHA-1
	"encoding/binary"
	"errors"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
)

// jksMagic begins every store of type JKS.
const jksMagic = 0xfeedfeed

func isJKS(data []byte) bool { return len(data) >= 4 && binary.BigEndian.Uint32(data) == jksMagic }

// loadJKS reads a store of Java's own format. Without a password its checksum is not
// checked, as in Java: then the checksum of the empty password takes its place.
func loadJKS(data []byte, password string) (ks jks.KeyStore, err error) {
	if !wellFormedJKS(data) {
		return ks, errors.New("the file is damaged")
	}
	if password == "" {
		body := data[:len(data)-sha1.Size]
		sum := sha1.Sum(append([]byte("Mighty Aphrodite"), body...)) //nolint:gosec // the format's own
		data = append(bytes.Clone(body), sum[:]...)
	}
	ks = jks.New(jks.WithOrderedAliases())
	return ks, ks.Load(bytes.NewReader(data), []byte(password))
}

// wellFormedJKS checks every length in the file against what is there. The library
// takes them as they are, and would allocate what a damaged file says.
func wellFormedJKS(data []byte) bool {
	in := walker{rest: data}
	in.skip(4)
	version, entries := in.number(4), in.number(4)
	certificate := func() {
		if version == 2 {
			in.skip(in.number(2)) // its type
		}
		in.skip(in.number(4))
	}
	for ; entries > 0 && !in.short; entries-- {
		tag := in.number(4)
		in.skip(in.number(2)) // alias
		in.skip(8)            // time
		if tag != 1 {
			certificate()
			continue
		}
		in.skip(in.number(4)) // encrypted key
		for chain := in.number(4); chain > 0 && !in.short; chain-- {
			certificate()
		}
	}
	return !in.short && len(in.rest) == sha1.Size
}

// walker steps over bytes, and remembers when there were too few.
type walker struct {
	rest  []byte
	short bool
}

func (w *walker) skip(n uint64) []byte {
	if uint64(len(w.rest)) < n {
		w.rest, w.short = nil, true
		return nil
	}
	skipped := w.rest[:n]
	w.rest = w.rest[n:]
	return skipped
}

// number reads n bytes as a number; 0 when they are not there.
func (w *walker) number(n uint64) (value uint64) {
	for _, b := range w.skip(n) {
		value = value<<8 | uint64(b)
	}
	return value
}
