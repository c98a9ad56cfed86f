package openapitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The document itself: every reference leads somewhere, every schema is one, and every operation
// has a name of its own, a summary, parameters for its path and an answer for errors.
func TestTheDocumentIsWhole(t *testing.T) {
	d := document()
	require.Equal(t, "3.1.0", d.root["openapi"])
	var walk func(value any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				require.NotNil(t, d.at(strings.TrimPrefix(ref, "#")), ref)
			}
			for key, part := range v {
				require.NotNil(t, part, key)
				walk(part)
			}
		case []any:
			for _, part := range v {
				walk(part)
			}
		}
	}
	walk(d.root)
	schemas, _ := d.at("/components/schemas").(map[string]any)
	for name := range schemas {
		_, err := d.schema("/components/schemas/" + name)
		require.NoError(t, err, name)
	}
	seen := map[string]bool{}
	for _, p := range d.paths {
		item, _ := d.at("/paths/" + escape(p.template)).(map[string]any)
		for method, value := range item {
			if method == "parameters" {
				continue
			}
			operation, _ := value.(map[string]any)
			at := "/paths/" + escape(p.template) + "/" + method
			id, _ := operation["operationId"].(string)
			require.NotEmpty(t, id, at)
			require.False(t, seen[id], id)
			seen[id] = true
			require.NotEmpty(t, operation["summary"], id)
			require.NotEmpty(t, operation["tags"], id)
			responses, _ := operation["responses"].(map[string]any)
			require.Contains(t, responses, "default", id)
			require.Greater(t, len(responses), 1, id)
			for status := range responses {
				response := d.follow(at + "/responses/" + status)
				require.NotEmpty(t, d.at(response+"/description"), response)
				if d.at(response+"/content/application~1json") != nil {
					_, err := d.schema(response + "/content/application~1json/schema")
					require.NoError(t, err, response)
				}
			}
		}
		parameters, _ := item["parameters"].([]any)
		require.Len(t, parameters, strings.Count(p.template, "{"), p.template)
	}
}

func TestAnswersThatDifferAreFound(t *testing.T) {
	json := http.Header{"Content-Type": {"application/json"}}
	task := `{"id":0,"state":"RUNNING","worker_id":"w"}`
	for name, c := range map[string]struct {
		e    Exchange
		want string // empty: it fits
	}{
		"fits":               {Exchange{"GET", "/connectors/a%2Fb/tasks/0/status?x=y", 200, json, []byte(task)}, ""},
		"a slash at the end": {Exchange{"GET", "/connectors/", 200, json, []byte(`["a"]`)}, ""},
		"head":               {Exchange{"HEAD", "/connectors", 200, json, nil}, ""},
		"an error":           {Exchange{"GET", "/connectors/a", 404, json, []byte(`{"error_code":404,"message":"m"}`)}, ""},
		"no content type":    {Exchange{"POST", "/connectors", 415, nil, []byte(`{"error_code":415,"message":"m"}`)}, ""},
		"unknown path":       {Exchange{"GET", "/nope", 404, nil, nil}, ""},
		"unknown method":     {Exchange{"POST", "/health", 405, nil, nil}, ""},
		"no body":            {Exchange{"DELETE", "/connectors/a", 204, nil, nil}, ""},

		"a wrong state":       {Exchange{"GET", "/connectors/a/tasks/0/status", 200, json, []byte(strings.Replace(task, "RUNNING", "SINGING", 1))}, "state"},
		"an unknown member":   {Exchange{"GET", "/connectors/a/tasks/0/status", 200, json, []byte(strings.Replace(task, "{", `{"x":1,`, 1))}, "additional properties 'x' not allowed"},
		"a missing member":    {Exchange{"GET", "/connectors/a/tasks/0/status", 200, json, []byte(`{"id":0}`)}, "missing properties"},
		"a wrong status":      {Exchange{"GET", "/connectors", 202, json, []byte(`[]`)}, "status is not in the document"},
		"a body too many":     {Exchange{"DELETE", "/connectors/a", 204, json, []byte(`{}`)}, "there is a body"},
		"a missing body":      {Exchange{"GET", "/connectors", 200, json, nil}, "the body is missing"},
		"a missing header":    {Exchange{"POST", "/connectors", 201, json, []byte(`{"name":"a","config":{},"tasks":[],"type":"sink"}`)}, "Location"},
		"another media type":  {Exchange{"GET", "/connectors", 200, http.Header{"Content-Type": {"text/html"}}, []byte(`[]`)}, "text/html"},
		"no JSON":             {Exchange{"GET", "/connectors", 200, json, []byte(`[`)}, "EOF"},
		"a path too many":     {Exchange{"GET", "/nope", 200, json, []byte(`[]`)}, "path is not in the document"},
		"a method too many":   {Exchange{"POST", "/health", 200, json, []byte(`[]`)}, "no such method"},
		"an error in its way": {Exchange{"GET", "/connectors/a", 404, json, []byte(`{"reason":"m"}`)}, "error_code"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Verify(c.e)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
