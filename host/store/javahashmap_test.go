package store

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// goldenFile was written by Kafka Connect 4.1 in standalone mode; only directory
// names in it were replaced by others of the same length.
const goldenFile = "testdata/offsets-kafka-connect-4.1.bin"

func TestFileOfKafkaConnectIsReadAndWrittenByteForByte(t *testing.T) {
	data, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	entries, err := decodeJavaMap(data)
	require.NoError(t, err)
	require.Len(t, entries, 8)
	values := map[string]string{}
	for _, e := range entries {
		if e.value == nil {
			values[string(e.key)] = "null"
		} else {
			values[string(e.key)] = string(e.value)
		}
	}
	require.Equal(t, `{"position":4}`, values[`["stay",{"filename":"/home/connect/golden/run/standalone/data/stay.txt"}]`])
	require.Equal(t, "null", values[`["flow",{"filename":5}]`])

	again, err := encodeJavaMap(entries)
	require.NoError(t, err)
	require.Equal(t, data, again)
}

func TestJavaMapRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		entries := make([]javaEntry, n)
		for i := range entries {
			entries[i].key = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "key")
			if rapid.Bool().Draw(t, "set") {
				entries[i].value = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
			}
		}
		data, err := encodeJavaMap(entries)
		require.NoError(t, err)
		got, err := decodeJavaMap(data)
		require.NoError(t, err)
		require.Len(t, got, n)
		for i := range entries {
			require.True(t, bytes.Equal(entries[i].key, got[i].key))
			require.True(t, bytes.Equal(entries[i].value, got[i].value))
			require.Equal(t, entries[i].value == nil, got[i].value == nil)
		}
	})
}

func TestSharedArrayIsReadThroughItsReference(t *testing.T) {
	data, err := encodeJavaMap([]javaEntry{{[]byte("a"), []byte("same")}, {[]byte("b"), []byte("same")}})
	require.NoError(t, err)
	second := append([]byte{tcArray, tcReference, 0, 0x7e, 0, 2, 0, 0, 0, 4}, "same"...)
	i := bytes.LastIndex(data, second)
	require.Positive(t, i)
	// Java writes an object that it has written before as a reference: array 3 is
	// "a", array 4 the first "same".
	shared := append(append(bytes.Clone(data[:i]), tcReference, 0, 0x7e, 0, 4), data[i+len(second):]...)
	entries, err := decodeJavaMap(shared)
	require.NoError(t, err)
	require.Equal(t, "same", string(entries[1].value))
}

func TestEveryCutOfTheFileIsRefused(t *testing.T) {
	data, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	for n := range data {
		_, err := decodeJavaMap(data[:n])
		require.Error(t, err, "cut at %d", n)
	}
}

func TestForeignContentIsRefused(t *testing.T) {
	good, err := encodeJavaMap([]javaEntry{{[]byte("k"), []byte("v")}})
	require.NoError(t, err)
	replace := func(from, to string) []byte { return bytes.Replace(bytes.Clone(good), []byte(from), []byte(to), 1) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"text":             {[]byte("{\"offsets\":{}}"), "does not start like"},
		"other class":      {replace("java.util.HashMap", "java.util.EvilMap"), "does not start like"},
		"other array type": {replace("[B", "[C"), "another type"},
		"trailing bytes":   {append(bytes.Clone(good), 0), "after the last entry"},
		"huge size":        {replace("\x00\x00\x00\x10\x00\x00\x00\x01", "\x00\x00\x00\x10\x7f\xff\xff\xff"), "ends in the middle"},
		"huge array":       {replace("\x00\x00\x00\x01k", "\x7f\xff\xff\xffk"), "ends in the middle"},
		"negative array":   {replace("\x00\x00\x00\x01k", "\xff\xff\xff\xffk"), "ends in the middle"},
		"bad reference":    {replace("\x75\x71\x00\x7e\x00\x02\x00\x00\x00\x01v", "\x71\x00\x7e\x00\x09"), "points nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeJavaMap(c.data)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func FuzzDecodeJavaMap(f *testing.F) {
	data, err := os.ReadFile(goldenFile)
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeJavaMap(data)
		if err != nil {
			return
		}
		again, err := encodeJavaMap(entries)
		require.NoError(t, err)
		second, err := decodeJavaMap(again)
		require.NoError(t, err)
		require.Len(t, second, len(entries))
	})
}
