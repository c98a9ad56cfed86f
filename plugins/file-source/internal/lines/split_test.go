package lines

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const noLimit = 1 << 30

func split(t require.TestingT, s Splitter, text string, final bool) (got []string, rest string) {
	r := s(nil, []byte(text), Limits{noLimit, noLimit}, final)
	require.False(t, r.TooLong)
	at := 0
	for _, l := range r.Lines {
		require.Equal(t, at, l.Start, "lines leave no gap")
		got = append(got, text[l.Start:l.End])
		at = l.Next
	}
	return got, text[at:]
}

func TestLinesEndWhereTheRuleSays(t *testing.T) {
	for name, c := range map[string]struct {
		ends  Ends
		text  string
		final bool
		want  []string
		rest  string
	}{
		"lf":                              {Any, "a\nb\n", false, []string{"a", "b"}, ""},
		"crlf":                            {Any, "a\r\nb\r\n", false, []string{"a", "b"}, ""},
		"lone cr":                         {Any, "a\rb\rc\n", false, []string{"a", "b", "c"}, ""},
		"mixed":                           {Any, "a\r\rb\n\r\nc\n", false, []string{"a", "", "b", "", "c"}, ""},
		"empty lines":                     {Any, "\n\n\n", false, []string{"", "", ""}, ""},
		"unfinished is held":              {Any, "a\nb", false, []string{"a"}, "b"},
		"unfinished at the end":           {Any, "a\nb", true, []string{"a", "b"}, ""},
		"cr at the block's end is held":   {Any, "a\nb\r", false, []string{"a"}, "b\r"},
		"cr at the input's end ends":      {Any, "a\nb\r", true, []string{"a", "b"}, ""},
		"nothing left at the end":         {Any, "a\n", true, []string{"a"}, ""},
		"crlf rule keeps a lone cr":       {CRLF, "a\rb\r\nc\n", false, []string{"a\rb", "c"}, ""},
		"crlf rule drops one cr":          {CRLF, "a\r\r\n", false, []string{"a\r"}, ""},
		"crlf rule at the end":            {CRLF, "a\r", true, []string{"a"}, ""},
		"lf rule keeps every cr":          {LF, "a\r\nb\r", true, []string{"a\r", "b\r"}, ""},
		"nul and other bytes are content": {Any, "\x00\xff\n", false, []string{"\x00\xff"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, rest := split(t, SplitterFor(c.ends), c.text, c.final)
			require.Equal(t, c.want, got)
			require.Equal(t, c.rest, rest)
		})
	}
}

func TestCSVRecordsMayHoldLineEnds(t *testing.T) {
	got, rest := split(t, SplitCSV('"'), "a,b\r\n\"x\ny\",\"q\"\"\n\"\n1,\"un", false)
	require.Equal(t, []string{"a,b", "\"x\ny\",\"q\"\"\n\""}, got)
	require.Equal(t, "1,\"un", rest)
	got, rest = split(t, SplitCSV('"'), "1,2", true)
	require.Equal(t, []string{"1,2"}, got)
	require.Empty(t, rest)
}

func TestLimits(t *testing.T) {
	text := []byte("ab\ncd\nefgh\nij\n")
	for _, s := range []Splitter{SplitterFor(Any), SplitterFor(CRLF), SplitterFor(LF), SplitCSV('"')} {
		r := s(nil, text, Limits{2, 3}, false)
		require.Len(t, r.Lines, 2)
		require.False(t, r.TooLong)
		r = s(nil, text, Limits{9, 3}, false)
		require.Len(t, r.Lines, 2, "the lines before a long one are returned")
		require.True(t, r.TooLong)
		r = s(nil, []byte("abcd"), Limits{9, 3}, false)
		require.Empty(t, r.Lines)
		require.True(t, r.TooLong, "an unfinished line can be too long already")
		r = s(nil, []byte("abc\r"), Limits{9, 3}, false)
		require.False(t, r.TooLong, "the CR may belong to the ending")
	}
}

// model is the obvious way to split, a byte at a time.
func model(text string, ends Ends) (out []string) {
	line := ""
	for i := 0; i < len(text); i++ {
		crlf := text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n'
		switch {
		case text[i] == '\n', text[i] == '\r' && ends == Any && !crlf, crlf && ends != LF:
			out = append(out, line)
			line = ""
			if crlf {
				i++
			}
		default:
			line += text[i : i+1]
		}
	}
	if ends == CRLF && strings.HasSuffix(line, "\r") {
		return append(out, line[:len(line)-1])
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

func TestAnyContentCutAnyhowIsSplitTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ends := rapid.SampledFrom([]Ends{Any, CRLF, LF}).Draw(t, "ends")
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\r\n\u00e9\x00"))).Draw(t, "text")
		s := SplitterFor(ends)
		var got []string
		var held []byte
		for rest := text; ; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "block")
			held = append(held, rest[:n]...)
			rest = rest[n:]
			final := rest == "" && rapid.Bool().Draw(t, "final")
			r := s(nil, held, Limits{rapid.IntRange(1, 5).Draw(t, "lines"), noLimit}, final)
			at := 0
			for _, l := range r.Lines {
				got = append(got, string(held[l.Start:l.End]))
				at = l.Next
			}
			held = held[at:]
			if final && len(held) == 0 {
				break
			}
		}
		require.Equal(t, model(text, ends), got)
	})
}

func TestIllFormedTextIsReplacedAsJavaDoes(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		"h\u00e9llo \U0001F600": "h\u00e9llo \U0001F600",
		"a\xffb":                "a\uFFFDb",
		"\xc0\xaf":              "\uFFFD\uFFFD",
		"\xf0\x9f\x98x":         "\uFFFDx",
		"\xe2\x82":              "\uFFFD",
		"\xed\xa0\x80":          "\uFFFD\uFFFD\uFFFD",
		"\xf4\x91\x80\x80":      "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\xc3\xc3\xa9":          "\uFFFD\u00e9",
		"\uFFFD":                "\uFFFD",
	} {
		require.Equal(t, want, string(AppendValid(nil, []byte(in))), "%q", in)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.Byte()).Draw(t, "in")
		out := AppendValid(nil, in)
		require.True(t, utf8.Valid(out))
		if utf8.Valid(in) {
			require.True(t, bytes.Equal(in, out))
		}
	})
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	require.Equal(t, 1, Cut([]byte("a\u00e9b"), 2))
	require.Equal(t, 3, Cut([]byte("a\u00e9b"), 3))
	require.Equal(t, 4, Cut([]byte("a\u00e9b"), 99))
	require.Equal(t, 4, Cut([]byte("\x80\x80\x80\x80\x80\x80"), 4))
}

func BenchmarkSplit100ByteLines(b *testing.B) {
	block := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 2621)
	for name, s := range map[string]Splitter{"any": SplitterFor(Any), "lf": SplitterFor(LF), "csv": SplitCSV('"')} {
		b.Run(name, func(b *testing.B) {
			var dst []Line
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r := s(dst[:0], block, Limits{noLimit, noLimit}, false)
				dst = r.Lines
				n += len(r.Lines)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/line")
		})
	}
}
