package convert

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCharsets holds bytes that Java 17 writes and reads.
func TestCharsets(t *testing.T) {
	for _, c := range []struct{ name, text, bytes string }{
		{"UTF-16", "a\u540d\U0001f600", "\xfe\xff\x00a\x54\x0d\xd8\x3d\xde\x00"},
		{"UTF-16", "", ""},
		{"utf-16le", "a\u540d", "a\x00\x0d\x54"},
		{"UTF-16BE", "\U0001f600", "\xd8\x3d\xde\x00"},
		{"UTF-32", "\U0001f600", "\x00\x01\xf6\x00"},
		{"UTF-32LE", "a", "a\x00\x00\x00"},
		{"latin1", "a\u00e9", "a\xe9"},
	} {
		cs, err := newCharset(c.name)
		require.NoError(t, err)
		require.Equal(t, c.bytes, string(cs.encode(nil, c.text)), c.name)
		require.Equal(t, c.text, string(cs.decode([]byte(c.bytes))), c.name)
	}
	for _, c := range []struct{ name, bytes, text string }{
		{"UTF-16", "\xff\xfea\x00", "a"},
		{"UTF-16", "\x00a\x00", "a\ufffd"},
		{"UTF-16BE", "\xd8\x3d\x00a", "\ufffda"},
		{"UTF-16LE", "\xfe\xff", "\ufffd"},
		{"UTF-32", "\x00\x11\x00\x00", "\ufffd"},
		{"UTF-32", "\xff\xfe\x00\x00a\x00\x00\x00", "a"},
		{"US-ASCII", "\xe9", "\ufffd"},
	} {
		cs, err := newCharset(c.name)
		require.NoError(t, err)
		require.Equal(t, c.text, string(cs.decode([]byte(c.bytes))), c.name)
	}
}
