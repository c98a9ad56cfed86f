package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPropertiesAreReadAsJavaReadsThem(t *testing.T) {
	cases := []struct {
		name, text string
		want       map[string]string
	}{
		{"empty", "", map[string]string{}},
		{"the three separators", "a=1\nb:2\nc 3\nd\t4\n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}},
		{"white space around the separator", "a \t = \t 1\nb : 2", map[string]string{"a": "1", "b": "2"}},
		{"only one separator", "a==1\nb=:2\nc : = 3", map[string]string{"a": "=1", "b": ":2", "c": "= 3"}},
		{"white space at the end stays", "a=1  \n", map[string]string{"a": "1  "}},
		{"key alone", "a\nb=\nc:", map[string]string{"a": "", "b": "", "c": ""}},
		{"value without key", "=1\n", map[string]string{"": "1"}},
		{"comments", "# x=1\n  ! y=2\na=1 # not a comment\n", map[string]string{"a": "1 # not a comment"}},
		{"blank lines and line ends", "\r\n\ra=1\r\nb=2\rc=3\n\f\n", map[string]string{"a": "1", "b": "2", "c": "3"}},
		{"continuation", "a=1,\\\n   2,\\\r\n\t3\nb=4", map[string]string{"a": "1,2,3", "b": "4"}},
		{"continuation inside the key", "fru\\\n  its=1", map[string]string{"fruits": "1"}},
		{"continuation before the value", "a=\\\n  1\nb \\\n = 2", map[string]string{"a": "1", "b": "2"}},
		{"no comment in a continued line", "a=1\\\n  #2", map[string]string{"a": "1#2"}},
		{"no comment after an empty continued line", "\\\n#a=1", map[string]string{"#a": "1"}},
		{"even backslashes do not continue", "a=1\\\\\nb=2", map[string]string{"a": "1\\", "b": "2"}},
		{"odd backslashes continue", "a=1\\\\\\\n2", map[string]string{"a": "1\\2"}},
		{"comments do not continue", "# x \\\na=1", map[string]string{"a": "1"}},
		{"backslash at the end of the file", "a=1\\", map[string]string{"a": "1"}},
		{"escapes", `a=\t\n\r\f\\\"\'\x\:\=`, map[string]string{"a": "\t\n\r\f\\\"'x:="}},
		{"escaped separators in keys", `a\ b\=c\:d = 1`, map[string]string{"a b=c:d": "1"}},
		{"escaped comment sign", "\\#a=1", map[string]string{"#a": "1"}},
		{"unicode escapes", `a=\u00e9\u4F60 \uD83D\uDE00`, map[string]string{"a": "é你 😀"}},
		{"escaped white space starts a value", `a=\ 1`, map[string]string{"a": " 1"}},
		{"the last of two wins", "a=1\na=2", map[string]string{"a": "2"}},
		{"references are not expanded", "a=${b}\nb=${file:/x:y}", map[string]string{"a": "${b}", "b": "${file:/x:y}"}},
		{"latin-1", "a=caf\xe9", map[string]string{"a": "café"}},
		{"utf-8", "a=café", map[string]string{"a": "café"}},
		{"byte order mark", "\uFEFFa=1", map[string]string{"a": "1"}},
		{"windows paths lose their backslashes", `a=C:\data\new`, map[string]string{"a": "C:data\new"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseProperties("x.properties", []byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestBadUnicodeEscapeNamesItsPlace(t *testing.T) {
	for text, place := range map[string]string{
		"a=1\nb=x\\u12": "w.properties:2:8:", "a=\\u12G4": "w.properties:1:7:", "a=1,\\\n  \\u\x104": "w.properties:2:5:",
	} {
		_, err := ParseProperties("w.properties", []byte(text))
		require.ErrorContains(t, err, place)
		require.ErrorContains(t, err, "hexadecimal")
	}
}

func TestEscapedPropertiesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "props")
		var text strings.Builder
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if text.Len() == 0 && strings.HasPrefix(key, "\uFEFF") {
				text.WriteString("\n") // at the beginning of a file it is a byte order mark
			}
			text.WriteString(escapeProperty(key) + "=" + escapeProperty(want[key]) + "\n")
		}
		got, err := ParseProperties("p", []byte(text.String()))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func escapeProperty(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case strings.ContainsRune(" \t\f\\=:#!", r):
			b.WriteString("\\" + map[rune]string{'\t': "t", '\f': "f"}[r])
			if r != '\t' && r != '\f' {
				b.WriteRune(r)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a=1\n#c\nb\\\n = \\u0041\\"))
	f.Add([]byte("\xff\xfe=\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		props, err := ParseProperties("f", data)
		if err != nil {
			return
		}
		for k, v := range props {
			require.True(t, utf8.ValidString(k))
			require.True(t, utf8.ValidString(v))
		}
	})
}

func FuzzParseConnectorFile(f *testing.F) {
	f.Add([]byte(`{"name":"a","config":{"connector.class":"x","n":1},"initial_state":"PAUSED"}`))
	f.Add([]byte("name=a\nconnector.class=x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseConnectorFile("f", data)
		if err == nil {
			require.NotEmpty(t, file.Name)
			require.Equal(t, file.Name, file.Config["name"])
		}
	})
}

func TestConnectorFiles(t *testing.T) {
	want := ConnectorFile{Name: "a", Config: map[string]string{"name": "a", "connector.class": "FileStreamSource", "tasks.max": "1"}}
	paused := want
	paused.InitialState = "PAUSED"
	cases := []struct {
		name, text string
		want       ConnectorFile
		err        []string
	}{
		{"properties", "name=a\nconnector.class=FileStreamSource\ntasks.max=1", want, nil},
		{"flat JSON", `{"name":"a","connector.class":"FileStreamSource","tasks.max":1}`, want, nil},
		{"JSON as for a create request", `{"name":"a","config":{"connector.class":"FileStreamSource","tasks.max":"1"},"initial_state":"paused"}`, paused, nil},
		{"name inside config", `{"config":{"name":" a ","connector.class":"FileStreamSource","tasks.max":"1"}}`, want, nil},
		{
			"numbers keep their text", `{"name":"a","connector.class":"x","n":1.50,"b":true}`,
			ConnectorFile{Name: "a", Config: map[string]string{"name": "a", "connector.class": "x", "n": "1.50", "b": "true"}},
			nil,
		},
		{"broken JSON", "{\"name\":\"a\",\n  \"config\": {,}}", ConnectorFile{}, []string{"f:2:14", "invalid character"}},
		{"cut JSON", "{\"name\":\"a\"", ConnectorFile{}, []string{"f:1:11", "unexpected end"}},
		{"JSON array", "[1]", ConnectorFile{}, []string{"name is missing"}},
		{"nested value", "{\"name\":\"a\",\n\"topics\":[\"x\"]}", ConnectorFile{}, []string{"f:2:1", `"topics"`, "commas"}},
		{"null", `{"name":"a","file":null}`, ConnectorFile{}, []string{"f:1:13", `"file"`, "leave the key out"}},
		{"unknown part", `{"name":"a","config":{},"state":"RUNNING"}`, ConnectorFile{}, []string{`"state"`, "move it into config"}},
		{"bad state", `{"name":"a","config":{},"initial_state":"ASLEEP"}`, ConnectorFile{}, []string{"initial_state", "RUNNING, PAUSED or STOPPED"}},
		{"two names", `{"name":"a","config":{"name":"b"}}`, ConnectorFile{}, []string{`"b"`, `"a"`, "make them equal"}},
		{"no name", "connector.class=x", ConnectorFile{}, []string{"f:", "name", "missing"}},
		{"no class", "name=x", ConnectorFile{}, []string{"f:", "connector.class", "missing"}},
		{"control character in the name", "name=a\\u0007b\nconnector.class=x", ConnectorFile{}, []string{"control sequences", "7"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseConnectorFile("f", []byte(c.text))
			for _, part := range c.err {
				require.ErrorContains(t, err, part)
			}
			if c.err == nil {
				require.NoError(t, err)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestMissingFileSaysWhatToDo(t *testing.T) {
	_, err := ReadConnectorFile("/does/not/exist.properties")
	require.ErrorContains(t, err, "cannot read /does/not/exist.properties: no such file or directory; check the path")
}
