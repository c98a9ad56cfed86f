package bulk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLinesOfEachAction(t *testing.T) {
	v, err := NewVerbs("i")
	require.NoError(t, err)
	plain := &Action{ID: []byte(`"a"`), Version: -1}
	full := &Action{ID: []byte(`"a"`), Routing: []byte(`"r"`), Version: 7}
	for want, got := range map[string][]byte{
		`{"index":{"_index":"i","_id":"a"}}` + "\n":                                                            v.AppendIndex(nil, plain),
		`{"index":{"_index":"i","_id":"a","routing":"r","version_type":"external","version":7}}` + "\n":        v.AppendIndex(nil, full),
		`{"create":{"_index":"i","_id":"a"}}` + "\n":                                                           v.AppendCreate(nil, plain),
		`{"delete":{"_index":"i","_id":"a","routing":"r","version_type":"external","version":7}}` + "\n":       v.AppendDelete(nil, full),
		`{"update":{"_index":"i","_id":"a","retry_on_conflict":3}}` + "\n" + `{"doc":{},"doc_as_upsert":true}`: append(v.AppendUpdate(nil, plain), "{}"+EndUpdate...),
	} {
		require.Equal(t, want, string(got))
	}
}

func TestWhatBecomesOfAnItem(t *testing.T) {
	for _, c := range []struct {
		verb   string
		status int
		kind   string
		want   State
	}{
		{"index", 200, "", Done},
		{"index", 201, "", Done},
		{"delete", 200, "", Done},
		{"delete", 404, "", Done},
		{"delete", 404, "index_not_found_exception", Done},
		{"index", 409, "version_conflict_engine_exception", Done},
		{"create", 409, "version_conflict_engine_exception", Done},
		{"delete", 409, "version_conflict_engine_exception", Done},
		{"update", 409, "version_conflict_engine_exception", Retry},
		{"index", 408, "timeout", Retry},
		{"index", 429, "es_rejected_execution_exception", Retry},
		{"index", 429, "cluster_block_exception", Retry},
		{"index", 503, "unavailable_shards_exception", Retry},
		{"index", 500, "anything", Retry},
		{"index", 400, "rejected_execution_exception", Retry},
		{"index", 400, "mapper_parsing_exception", Errant},
		{"index", 400, "document_parsing_exception", Errant},
		{"index", 400, "strict_dynamic_mapping_exception", Errant},
		{"index", 400, "illegal_argument_exception", Errant},
		{"index", 413, "anything", Errant},
		{"index", 401, "security_exception", Fatal},
		{"index", 403, "cluster_block_exception", Fatal},
		{"index", 404, "index_not_found_exception", Fatal},
		{"index", 409, "anything", Fatal},
	} {
		require.Equal(t, c.want, Classify(c.verb, c.status, c.kind), "%+v", c)
	}
}

func TestAnAnswerIsReadItemByItem(t *testing.T) {
	results, err := ParseResults([]byte(`{"errors":false,"items":[{"index":{"status":201}}]}`), 1)
	require.NoError(t, err)
	require.Nil(t, results)

	results, err = ParseResults([]byte(`{"errors":true,"items":[{"index":{"status":201}},
		{"delete":{"status":404}},
		{"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse","caused_by":{"reason":"not a number"}}}},
		{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}]}`), 4)
	require.NoError(t, err)
	require.Equal(t, []State{Done, Done, Errant, Retry}, []State{results[0].State, results[1].State, results[2].State, results[3].State})
	require.Equal(t, "the server refused the document with status 400, mapper_parsing_exception: failed to parse: not a number", results[2].Failure.Error())

	_, err = ParseResults([]byte(`{"errors":true,"items":[]}`), 2)
	require.ErrorContains(t, err, "answered for 0 items and got 2")
	_, err = ParseResults([]byte(`<html>a proxy`), 2)
	require.ErrorContains(t, err, "not one of the bulk endpoint")
}

// What is sent again takes along the later writes of the same document that carry no version. // I-6
func TestRetriesKeepTheOrderOfADocument(t *testing.T) {
	body := []byte("a1\nb1\na2\na3\nc1\n")
	items := func(versioned bool) (out []Item) {
		for i, doc := range []uint64{1, 2, 1, 1, 3} {
			out = append(out, Item{End: (i + 1) * 3, Doc: doc, Versioned: versioned})
		}
		return out
	}
	results := []Result{{State: Retry}, {State: Done}, {State: Done}, {State: Errant}, {State: Retry}}
	next, left, kept := Next(body, items(false), results)
	require.Equal(t, "a1 a2 c1", strings.Join(strings.Fields(string(next)), " "))
	require.Equal(t, []int{0, 2, 4}, kept)
	require.Equal(t, []int{3, 6, 9}, []int{left[0].End, left[1].End, left[2].End})
	next, _, kept = Next(body, items(true), results)
	require.Equal(t, "a1 c1", strings.Join(strings.Fields(string(next)), " "))
	require.Equal(t, []int{0, 4}, kept)
}
