package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/transform"
)

// example is a configuration of docs/transforms.md with what goes in and comes out.
type example struct {
	line                   int
	config, before, after  string
	records, hasAfterBlock bool
}

func examples(t *testing.T) (list []example) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/transforms.md")
	require.NoError(t, err)
	var kind string
	var block strings.Builder
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "```") {
			if kind != "" {
				block.WriteString(line + "\n")
			}
			continue
		}
		if kind == "" {
			kind = strings.TrimPrefix(line, "```")
			if kind == "" {
				kind = "text"
			}
			block.Reset()
			continue
		}
		switch last := len(list) - 1; kind {
		case "properties":
			list = append(list, example{line: i, config: block.String()})
		case "json before", "json before records":
			list[last].before, list[last].records = block.String(), kind == "json before records"
		case "json after":
			list[last].after, list[last].hasAfterBlock = block.String(), true
		}
		kind = ""
	}
	return list
}

func build(t testing.TB, properties string) *transform.Chain {
	t.Helper()
	props, err := config.ParseProperties("example", []byte(properties))
	require.NoError(t, err)
	transforms, predicates, err := config.ParseTransforms(props)
	require.NoError(t, err)
	chain, err := transform.FromConfig(transforms, predicates, nil)
	require.NoError(t, err)
	return chain
}

func TestTheExamplesOfTheDocumentationAreRight(t *testing.T) {
	list := examples(t)
	require.Greater(t, len(list), 8)
	for _, e := range list {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			require.True(t, e.hasAfterBlock)
			want := strings.Split(strings.TrimSpace(e.after), "\n")
			n := 0
			err := Run(t.Context(), strings.NewReader(e.before), build(t, e.config), Options{Records: e.records, Topic: "t"}, func(r Result) error {
				require.Less(t, n, len(want))
				check(t, want[n], r, e.records)
				n++
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, len(want), n)
		})
	}
}

func check(t *testing.T, want string, r Result, records bool) {
	t.Helper()
	text, failed := strings.CutPrefix(want, "error: ")
	switch {
	case failed:
		require.NotNil(t, r.Error)
		require.Contains(t, r.Error.Message, text)
		require.Nil(t, r.After)
	case want == "dropped":
		require.True(t, r.Dropped)
	default:
		require.Nil(t, r.Error, "%+v", r.Error)
		got, err := json.Marshal(r.After)
		require.NoError(t, err)
		if !records {
			got = r.After.Value
		}
		require.JSONEq(t, want, string(got))
	}
}

// What the lab writes it reads again.
func TestTheOutputOfTheLabIsItsInput(t *testing.T) {
	in := `{"topic":"a","partition":3,"timestamp":17,"key":{"schema":{"type":"int64","optional":false},"payload":9007199254740993},` +
		`"value":{"schema":{"type":"struct","optional":true,"name":"N","version":2,"fields":[{"type":"bytes","optional":true,"field":"b"}]},"payload":{"b":"AQI="}},` +
		`"headers":[{"name":"h","value":[1,"x",null]}]}`
	var first []byte
	for range 2 {
		err := Run(t.Context(), strings.NewReader(in), transform.NewChain(), Options{Records: true}, func(r Result) error {
			require.Nil(t, r.Error)
			out, err := json.Marshal(r.After)
			require.NoError(t, err)
			if first != nil {
				require.JSONEq(t, string(first), string(out))
			}
			first, in = out, string(out)
			return nil
		})
		require.NoError(t, err)
	}
	require.Contains(t, string(first), "9007199254740993")
}

func TestTheLabShowsWhatChangedAndWhereAnErrorIs(t *testing.T) {
	chain := build(t, "transforms=a,b\ntransforms.a.type=HoistField$Value\ntransforms.a.field=x\ntransforms.b.type=Cast$Value\ntransforms.b.spec=x:int32\n")
	var out bytes.Buffer
	err := Run(t.Context(), strings.NewReader("\"12\"\n\n\"word\"\nnot json\n"), chain, Options{Topic: "t", Steps: true}, func(r Result) error {
		fmt.Fprintf(&out, "line %d\n", r.Line)
		for _, s := range r.Steps {
			fmt.Fprintf(&out, "after %s: %s\n", s.Transform, s.After.Value)
		}
		if r.Error != nil {
			fmt.Fprintf(&out, "error %s %s %s: %s\n", r.Error.Transform, r.Error.Class, r.Error.Exception, r.Error.Message)
		}
		for _, l := range Diff(r.BeforeLines, r.AfterLines) {
			fmt.Fprintln(&out, l)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, `line 1
after a: {"x":"12"}
after b: {"x":12}
  topic                                         t
- value                        string           "12"
+ value                        map
+ value.x                      int32            12
line 3
after a: {"x":"word"}
error b org.apache.kafka.connect.transforms.Cast$Value org.apache.kafka.connect.errors.DataException: Value (word) was out of range for requested data type
  topic                                         t
- value                        string           "word"
+ value                        map
+ value.x                      string           "word"
line 4
error   : it is no JSON: invalid character 'o' in literal null (expecting 'u')
`, out.String())
}
