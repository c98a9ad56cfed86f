package data_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const vectorFile = "../../../proto/tailrace/plugin/v1/testdata/vectors.json"

type validLine struct {
	Name   string      `json:"name"`
	Only   string      `json:"only,omitempty"`
	Schema *schemaForm `json:"schema"`
	Value  *valueForm  `json:"value"`
	Wire   string      `json:"wire"`
}

type invalidLine struct {
	Name   string      `json:"name"`
	Schema *schemaForm `json:"schema"`
	Wire   string      `json:"wire"`
	Reason string      `json:"reason"`
}

type refusedLine struct {
	Name   string      `json:"name"`
	Schema *schemaForm `json:"schema"`
	Value  *valueForm  `json:"value"`
	Reason string      `json:"reason"`
}

type vectorsFile struct {
	Valid   []validLine   `json:"valid"`
	Invalid []invalidLine `json:"invalid"`
	Refused []refusedLine `json:"refused"`
}

func generate(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	seen := map[string]int{}
	unique := func(name string) string {
		seen[name]++
		if n := seen[name]; n > 1 {
			return fmt.Sprintf("%s #%d", name, n)
		}
		return name
	}
	section := func(name string, lines []any) {
		fmt.Fprintf(&out, "%q: [\n", name)
		for i, line := range lines {
			if i > 0 {
				out.WriteString(",\n")
			}
			var raw bytes.Buffer
			enc := json.NewEncoder(&raw)
			enc.SetEscapeHTML(false)
			require.NoError(t, enc.Encode(line))
			out.Write(bytes.TrimSpace(raw.Bytes()))
		}
		out.WriteString("\n]")
	}
	var valid, invalid, refused []any
	for _, v := range vectors() {
		wire := v.wire
		if v.only != "read" {
			raw, err := data.AppendValue(nil, v.schema, v.value)
			require.NoError(t, err, v.name)
			wire = hex.EncodeToString(raw)
		}
		valid = append(valid, validLine{unique(v.name), v.only, toSchemaForm(v.schema), toValueForm(v.value), wire})
	}
	for _, v := range badVectors() {
		invalid = append(invalid, invalidLine{unique("bad: " + v.name), toSchemaForm(v.schema), v.wire, v.reason})
	}
	for _, v := range refusedVectors() {
		refused = append(refused, refusedLine{unique("refused: " + v.name), toSchemaForm(v.schema), toValueForm(v.value), v.reason})
	}
	out.WriteString("{\n")
	section("valid", valid)
	out.WriteString(",\n")
	section("invalid", invalid)
	out.WriteString(",\n")
	section("refused", refused)
	out.WriteString("\n}\n")
	return out.Bytes()
}

func TestVectorsFileIsFresh(t *testing.T) {
	want := generate(t)
	if *update {
		require.NoError(t, os.WriteFile(vectorFile, want, 0o644))
	}
	got, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	if !bytes.Equal(got, want) {
		t.Fatalf("%s differs from the cases in vectors_cases_test.go; if the wire form was meant to change (it is frozen in protocol v1), run: go test ./sdk/go/data -run TestVectorsFileIsFresh -update", vectorFile)
	}
}

func readVectors(t *testing.T) vectorsFile {
	t.Helper()
	raw, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var f vectorsFile
	require.NoError(t, json.Unmarshal(raw, &f))
	return f
}

// I-7: every kind of value survives the wire, read from the file as an SDK in another language would.
func TestValidVectors(t *testing.T) {
	for _, line := range readVectors(t).Valid {
		t.Run(line.Name, func(t *testing.T) {
			s, err := fromSchemaForm(line.Schema)
			require.NoError(t, err)
			v, err := fromValueForm(s, line.Value)
			require.NoError(t, err)
			wire := unhex(line.Wire)
			if line.Only != "read" {
				require.NoError(t, data.Validate(orOptional(s, v), v))
				got, err := data.AppendValue([]byte("before"), s, v)
				require.NoError(t, err)
				require.Equal(t, "before"+string(wire), string(got))
			}
			if line.Only != "write" {
				got, err := data.DecodeValue(s, wire)
				require.NoError(t, err)
				require.True(t, data.Equal(v, got), "got %v, want %v", got, v)
				// The form has the bits of floats, which Equal does not compare for NaN.
				require.JSONEq(t, string(mustJSON(toValueForm(v))), string(mustJSON(toValueForm(got))))
			}
			rest, err := data.SkipValue(s, append(bytes.Clone(wire), "after"...))
			if line.Wire != "" || s != nil {
				require.NoError(t, err)
				require.Equal(t, "after", string(rest))
			}
			cutShort(t, s, wire)
		})
	}
}

// orOptional is the schema by which null is valid: a required schema with a default takes null only inside a struct.
func orOptional(s *data.Schema, v any) *data.Schema {
	if s == nil || v != nil {
		return s
	}
	return s.ToBuilder().Optional().MustBuild()
}

// cutShort checks that no proper beginning of a value is a value.
func cutShort(t *testing.T, s *data.Schema, wire []byte) {
	t.Helper()
	for n := range min(len(wire), 300) {
		if s == nil && n == 0 {
			continue
		}
		_, err := data.DecodeValue(s, wire[:n])
		require.Error(t, err, "%d of %d bytes", n, len(wire))
		_, err = data.SkipValue(s, wire[:n])
		require.Error(t, err)
	}
}

func TestInvalidVectors(t *testing.T) {
	for _, line := range readVectors(t).Invalid {
		t.Run(line.Name, func(t *testing.T) {
			s, err := fromSchemaForm(line.Schema)
			require.NoError(t, err)
			wire := unhex(line.Wire)
			_, err = data.DecodeValue(s, wire)
			var e *data.Error
			require.ErrorAs(t, err, &e)
			require.GreaterOrEqual(t, e.Offset, 0)
			require.LessOrEqual(t, e.Offset, len(wire))
			if rest, skipErr := data.SkipValue(s, wire); line.Reason == "bytes are left" {
				require.NoError(t, skipErr)
				require.NotEmpty(t, rest)
			} else {
				require.ErrorAs(t, skipErr, &e)
			}
			if line.Reason == "input ends too early" {
				require.True(t, errors.Is(err, data.ErrShort))
			}
		})
	}
}

func TestRefusedVectors(t *testing.T) {
	for _, line := range readVectors(t).Refused {
		t.Run(line.Name, func(t *testing.T) {
			s, err := fromSchemaForm(line.Schema)
			require.NoError(t, err)
			v, err := fromValueForm(s, line.Value)
			require.NoError(t, err)
			dst := []byte("before")
			got, err := data.AppendValue(dst, s, v)
			var e *data.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "before", string(got))
		})
	}
}
