package env

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

// Search is a real node of a search server: use indices of your own on a shared one.
type Search struct {
	// URL is the base of its REST API.
	URL  string
	node *server.Search
}

var sharedSearch = map[string]func() (*server.Search, error){
	"OpenSearch": sync.OnceValues(func() (*server.Search, error) { return startOpenSearch(context.Background()) }),
	"Elasticsearch": sync.OnceValues(func() (*server.Search, error) {
		return server.StartElasticsearch(context.Background())
	}),
}

// OpenSearch returns the node that the tests of a package share. The first test that asks starts it.
func OpenSearch(t testing.TB) *Search {
	t.Helper()
	return shareSearch(t, "OpenSearch")
}

// Elasticsearch returns a node of Elasticsearch's core that the tests of a package share.
func Elasticsearch(t testing.TB) *Search {
	t.Helper()
	return shareSearch(t, "Elasticsearch")
}

func startOpenSearch(ctx context.Context) (*server.Search, error) {
	return server.StartOpenSearch(ctx, server.SearchOptions{})
}

func shareSearch(t testing.TB, what string) *Search {
	t.Helper()
	node, err := sharedSearch[what]()
	require.NoError(t, err)
	t.Cleanup(func() { nameLog(t, what+" node", node.Log()) })
	return &Search{URL: node.URL(), node: node}
}

// PrivateOpenSearch starts a node for this test alone and ends it with the test.
func PrivateOpenSearch(t testing.TB) *Search {
	t.Helper()
	return privateSearch(t, "OpenSearch node", startOpenSearch)
}

// PrivateElasticsearch starts a node of Elasticsearch's core for this test alone and ends it with the test.
func PrivateElasticsearch(t testing.TB) *Search {
	t.Helper()
	return privateSearch(t, "Elasticsearch node", server.StartElasticsearch)
}

func privateSearch(t testing.TB, what string, start func(context.Context) (*server.Search, error)) *Search {
	t.Helper()
	node, err := start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		keepLog(t, what, node.Log())
		require.NoError(t, node.Close())
	})
	return &Search{URL: node.URL(), node: node}
}

// Kill ends a private node with SIGKILL. Its data stays.
func (s *Search) Kill() { s.node.Kill() }

// Start starts a killed node on the same address and data, and returns when it serves.
func (s *Search) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, s.node.Start(t.Context()))
}
