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
		{"windows-1252", "\u20ac", "\x80"},
		{"cp1251", "\u0436", "\xe6"},
		{"ISO-8859-15", "\u20ac\u0085", "\xa4\x85"},
		{"cp037", "A\n", "\xc1\x15"},
		{"IBM1047", "\n\u0085", "\x15\x25"},
		{"UnicodeBig", "a", "\xfe\xff\x00a"},
		{"UnicodeLittle", "a", "\xff\xfea\x00"},
		{"UTF-32LE-BOM", "a", "\xff\xfe\x00\x00a\x00\x00\x00"},
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
		{"windows-1255", "\xca", "\ufffd"},
		{"cp037", "\x15\x25", "\n\n"},
		{"UnicodeLittle", "a\x00", "a"},
	} {
		cs, err := newCharset(c.name)
		require.NoError(t, err)
		require.Equal(t, c.text, string(cs.decode([]byte(c.bytes))), c.name)
	}
	for text, c := range map[string]struct{ name, bytes string }{
		"\u540d": {"KOI8-R", "?"}, "\U0001f600": {"windows-1252", "?"}, "\u0085": {"cp037", "\x15"},
	} {
		cs, err := newCharset(c.name)
		require.NoError(t, err)
		require.Equal(t, c.bytes, string(cs.encode(nil, text)), "a character that %s does not have", c.name)
	}
	_, err := newCharset("UTF-7")
	require.ErrorContains(t, err, "Unsupported encoding UTF-7")
}
