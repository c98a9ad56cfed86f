package tail

import (
	"fmt"
	"hash/crc64"
	"strconv"
	"strings"
)

// printBytes is how much of the file before a position goes into its fingerprint.
const printBytes = 1024

var printTable = crc64.MakeTable(crc64.ECMA)

// Offset is a place in a file: everything before it has been read.
type Offset struct {
	// Position is the number of bytes before the place; for a gzip file, of its content.
	Position int64
	// Inode of the file, 0 if unknown.
	Inode uint64
	// Print is the fingerprint of the bytes before Position; its zero value if unknown, as after Kafka's own connector.
	Print Print
}

// Print is a fingerprint: the length and CRC-64 (ECMA) of the bytes just before a position, at most 1024 of them.
type Print struct {
	Length int
	Sum    uint64
}

func printOf(tail []byte) Print {
	return Print{Length: len(tail), Sum: crc64.Checksum(tail, printTable)}
}

// Known tells whether there is a fingerprint. At position 0 there never is one.
func (p Print) Known() bool { return p.Length > 0 }

// String is the stored form: length, hyphen, checksum in hexadecimal.
func (p Print) String() string { return fmt.Sprintf("%d-%016x", p.Length, p.Sum) }

// ParsePrint reads the form that String writes.
func ParsePrint(text string) (Print, error) {
	length, sum, found := strings.Cut(text, "-")
	n, err := strconv.Atoi(length)
	s, err2 := strconv.ParseUint(sum, 16, 64)
	if !found || err != nil || err2 != nil || n < 0 || n > printBytes {
		return Print{}, fmt.Errorf("%q is not a fingerprint: want a length up to %d, a hyphen and a checksum", text, printBytes)
	}
	return Print{Length: n, Sum: s}, nil
}
