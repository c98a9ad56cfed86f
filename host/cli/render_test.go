package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

// update rewrites the golden files and docs/cli.md: go test ./host/cli -update.
var update = flag.Bool("update", false, "rewrite the golden files and docs/cli.md")

// golden compares with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "%s is old; go test ./host/cli -update rewrites it", file)
}

// cluster is what a worker tells of four connectors.
const cluster = `{
 "orders": {"info": {"name":"orders","type":"source","config":{"connector.class":"jdbc-source"},"tasks":[]},
  "status": {"name":"orders","type":"source","connector":{"state":"RUNNING","worker_id":"a:8083","version":"1.0"},
   "tasks":[{"id":0,"state":"RUNNING","worker_id":"a:8083"},{"id":1,"state":"FAILED","worker_id":"b:8083","trace":"no route to db\n\tat x\n"}]}},
 "archive": {"info": {"name":"archive","type":"sink","config":{"connector.class":"file-sink"},"tasks":[]},
  "status": {"name":"archive","type":"sink","connector":{"state":"PAUSED","worker_id":"a:8083"},"tasks":[{"id":0,"state":"PAUSED","worker_id":"a:8083"}]}},
 "fresh": {"info": {"name":"fresh","type":"sink","config":{"connector.class":"file-sink"},"tasks":[]}},
 "lost": {"info": {"name":"lost","type":"unknown","config":{"connector.class":"gone"},"tasks":[]}},
 "rude": {"info": {"name":"rude","type":"sink","config":{"connector.class":"file-sink"},"tasks":[]},
  "status": {"name":"rude","type":"sink","connector":{"state":"FAILED","worker_id":"a:8083","trace":"\u001b[2Jboo"},"tasks":[]}}
}`

func told(t *testing.T) (all map[string]client.Expanded) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(cluster), &all))
	return all
}

func TestAnswersAreShownInEveryForm(t *testing.T) {
	all := told(t)
	var states []client.Status
	for _, name := range []string{"archive", "orders", "rude"} {
		states = append(states, *all[name].Status)
	}
	steps, err := plan.Steps([]plan.Wanted{
		{File: "f/a.json", Name: "a", Config: map[string]string{"k": "new", "password": "p2"}},
		{File: "f/b.json", Name: "b", Config: map[string]string{"k": "1"}},
		{File: "f/c.json", Name: "c", Config: map[string]string{"k": "1"}},
	}, map[string]map[string]string{"a": {"k": "old", "password": "p1", "more": "x"}, "b": {"k": "1"}}, func(_, key string) bool { return key == "password" })
	require.NoError(t, err)
	for name, show := range map[string]func(p *printer) error{
		"list":   func(p *printer) error { return printList(p, summaries(all)) },
		"status": func(p *printer) error { return printStatus(p, states, false) },
		"traces": func(p *printer) error { return printStatus(p, states, true) },
		"apply":  func(p *printer) error { return printSteps(p, steps, true) },
		"diff":   func(p *printer) error { p.diff(steps); return nil },
		"doctor": func(p *printer) error {
			return printFindings(p, diagnose(facts{
				server: "http://a:8083", about: client.About{Version: "4.1.0", KafkaClusterID: "k1"},
				health: client.Health{Message: "ready"}, plugins: []client.Plugin{{Class: "file-sink"}}, connectors: all,
			}))
		},
	} {
		for form, p := range map[string]*printer{
			"txt": {form: asTable}, "colour.txt": {form: asTable, colour: true}, "json": {form: asJSON}, "yaml": {form: asYAML},
		} {
			if name == "diff" && (form == "json" || form == "yaml") {
				continue // those of apply
			}
			t.Run(name+"."+form, func(t *testing.T) {
				var out bytes.Buffer
				p := *p
				p.out = &out
				require.NoError(t, show(&p))
				golden(t, filepath.Join("testdata", name+"."+form), out.String())
				require.NotContains(t, out.String(), "\x1b[2J", "a worker's text must not steer the terminal")
			})
		}
	}
}

func TestYAMLKeepsWhatJSONSays(t *testing.T) {
	got, err := toYAML([]byte(`{"b":"1","a":1,"t":"true","n":null,"e":[],"o":{},"x":"a\nb","big":12345678901234567890,"s":": #"}`))
	require.NoError(t, err)
	require.Equal(t, "b: \"1\"\na: 1\nt: \"true\"\nn: null\ne: []\no: {}\nx: |-\n  a\n  b\nbig: 12345678901234567890\ns: ': #'\n", string(got))
}
