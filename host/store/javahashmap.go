package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Kafka Connect's standalone offsets file is one java.util.HashMap<byte[],byte[]>
// written by Java object serialisation (reference section 3.5; the grammar is in
// the "Java Object Serialization Specification", chapter 6). This file reads and
// writes exactly that object graph and nothing else: no other class is ever
// accepted, so a hostile file can only be refused.
const (
	tcNull         = 0x70
	tcReference    = 0x71
	tcArray        = 0x75
	tcBlockData    = 0x77
	tcEndBlockData = 0x78

	baseHandle = 0x7e0000

	loadFactorBits = 0x3f400000 // 0.75, HashMap's default
	minCapacity    = 16
)

// maxJavaMapBytes bounds the file that is read into memory.
const maxJavaMapBytes = 256 << 20

// Everything before the two fields of the HashMap: stream header, TC_OBJECT, and
// the class description of HashMap with its serial version and field names.
var hashMapHeader = []byte("\xac\xed\x00\x05" + "\x73" +
	"\x72\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02" +
	"F\x00\nloadFactor" + "I\x00\tthreshold" + "\x78\x70")

// The class description of byte[].
var byteArrayClass = []byte("\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00\x78\x70")

// javaEntry is one mapping; a nil value is Java's null.
type javaEntry struct {
	key   []byte
	value []byte
}

// encodeJavaMap writes the entries in their order.
func encodeJavaMap(entries []javaEntry) ([]byte, error) {
	size := len(hashMapHeader) + 64
	for _, e := range entries {
		size += len(e.key) + len(e.value) + 20
	}
	if size > maxJavaMapBytes {
		return nil, fmt.Errorf("the offsets need %d bytes, more than the limit of %d", size, maxJavaMapBytes)
	}
	capacity := int64(minCapacity)
	for capacity*3/4 < int64(len(entries)) {
		capacity *= 2
	}
	b := make([]byte, 0, size)
	b = append(b, hashMapHeader...)
	b = binary.BigEndian.AppendUint32(b, loadFactorBits)
	b = binary.BigEndian.AppendUint32(b, uint32(capacity*3/4))
	b = append(b, tcBlockData, 8)
	b = binary.BigEndian.AppendUint32(b, uint32(capacity))
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	described := false
	for _, e := range entries {
		b = appendByteArray(b, e.key, &described)
		if e.value == nil {
			b = append(b, tcNull)
		} else {
			b = appendByteArray(b, e.value, &described)
		}
	}
	return append(b, tcEndBlockData), nil
}

func appendByteArray(b, data []byte, described *bool) []byte {
	b = append(b, tcArray)
	if *described {
		// Handles count from the HashMap's class (0) and object (1): byte[] is 2.
		b = append(b, tcReference)
		b = binary.BigEndian.AppendUint32(b, baseHandle+2)
	} else {
		b = append(b, byteArrayClass...)
		*described = true
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// decodeJavaMap reads the entries in their order. The slices alias data.
func decodeJavaMap(data []byte) ([]javaEntry, error) {
	if len(data) > maxJavaMapBytes {
		return nil, fmt.Errorf("it has %d bytes, more than the limit of %d", len(data), maxJavaMapBytes)
	}
	d := javaDecoder{data: data}
	entries, err := d.hashMap()
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", d.pos, err)
	}
	return entries, nil
}

var (
	errTruncated = errors.New("the file ends in the middle of an entry")
	errNotJava   = errors.New("it does not start like a Java-serialised HashMap")
)

type javaDecoder struct {
	data []byte
	pos  int
	// arrays are the byte arrays by handle, from baseHandle+3 on: Java writes an
	// object that was seen before as a reference.
	arrays    [][]byte
	described bool
}

func (d *javaDecoder) hashMap() ([]javaEntry, error) {
	if !bytes.HasPrefix(d.data, hashMapHeader) {
		if bytes.HasPrefix(hashMapHeader, d.data) {
			return nil, errTruncated
		}
		return nil, errNotJava
	}
	d.pos = len(hashMapHeader)
	head, err := d.take(4 + 4 + 2 + 4 + 4)
	if err != nil {
		return nil, err
	}
	if f := math.Float32frombits(binary.BigEndian.Uint32(head)); !(f > 0) {
		return nil, fmt.Errorf("the load factor is %v", f)
	}
	if head[8] != tcBlockData || head[9] != 8 {
		return nil, errors.New("the size of the map is missing")
	}
	size := binary.BigEndian.Uint32(head[14:])
	// An entry takes at least three bytes, so a size that the file cannot hold is
	// refused before anything is allocated for it.
	if int64(size)*3 > int64(len(d.data)-d.pos) {
		return nil, errTruncated
	}
	entries := make([]javaEntry, 0, size)
	for range size {
		key, null, err := d.byteArray()
		if err != nil {
			return nil, err
		}
		if null {
			return nil, errors.New("an entry has no key")
		}
		value, null, err := d.byteArray()
		if err != nil {
			return nil, err
		}
		if null {
			value = nil
		}
		entries = append(entries, javaEntry{key, value})
	}
	end, err := d.take(1)
	if err != nil {
		return nil, err
	}
	if end[0] != tcEndBlockData || d.pos != len(d.data) {
		return nil, errors.New("there is something after the last entry")
	}
	return entries, nil
}

// byteArray reads null, a new byte[] or a reference to one read before.
func (d *javaDecoder) byteArray() (data []byte, null bool, err error) {
	tag, err := d.take(1)
	if err != nil {
		return nil, false, err
	}
	switch tag[0] {
	case tcNull:
		return nil, true, nil
	case tcReference:
		handle, err := d.uint32()
		if err != nil {
			return nil, false, err
		}
		i := int64(handle) - (baseHandle + 3)
		if i < 0 || i >= int64(len(d.arrays)) {
			return nil, false, errors.New("a reference points nowhere")
		}
		return d.arrays[i], false, nil
	case tcArray:
		if err := d.byteArrayClass(); err != nil {
			return nil, false, err
		}
		n, err := d.uint32()
		if err != nil {
			return nil, false, err
		}
		if int64(n) > int64(len(d.data)-d.pos) {
			return nil, false, errTruncated
		}
		data, err := d.take(int(n))
		if err != nil {
			return nil, false, err
		}
		d.arrays = append(d.arrays, data)
		return data, false, nil
	default:
		return nil, false, fmt.Errorf("found type 0x%02x where bytes belong", tag[0])
	}
}

func (d *javaDecoder) byteArrayClass() error {
	if !d.described {
		class, err := d.take(len(byteArrayClass))
		if err != nil {
			return err
		}
		if !bytes.Equal(class, byteArrayClass) {
			return errors.New("found another type where bytes belong")
		}
		d.described = true
		return nil
	}
	tag, err := d.take(1)
	if err != nil {
		return err
	}
	handle, err := d.uint32()
	if err != nil {
		return err
	}
	if tag[0] != tcReference || handle != baseHandle+2 {
		return errors.New("found another type where bytes belong")
	}
	return nil
}

func (d *javaDecoder) uint32() (uint32, error) {
	b, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

func (d *javaDecoder) take(n int) ([]byte, error) {
	if len(d.data)-d.pos < n {
		return nil, errTruncated
	}
	b := d.data[d.pos : d.pos+n : d.pos+n]
	d.pos += n
	return b, nil
}
