package rest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadsBelowV1NeedARoleOnWhatTheyShow(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Station = newToldStation() })
	for _, path := range []string{"/v1/connectors/a-1/progress", "/v1/connectors/a-1/logs"} {
		require.Equal(t, 200, g.ask("viewer", "GET", path, "").Code, path)
		require.Equal(t, 403, g.ask("orders", "GET", path, "").Code, path)
		require.Equal(t, "refused", g.last()["outcome"])
		require.Equal(t, 200, g.ask("orders-viewer", "GET", strings.Replace(path, "a-1", "orders-1", 1), "").Code, path)
	}
	for _, path := range []string{"/v1/worker", "/v1/processes", "/v1/events"} {
		require.Equal(t, 200, g.ask("viewer", "GET", path, "").Code, path)
		require.Equal(t, 403, g.ask("orders", "GET", path, "").Code, "%s shows connectors of others", path)
		require.Equal(t, "refused", g.last()["outcome"])
	}
	require.Equal(t, 200, g.ask("nothing", "GET", "/v1/explorer", "").Code, "the page shows nothing by itself")
	require.Equal(t, 401, g.ask("", "GET", "/v1/explorer", "").Code)
}

func TestRecordsAreShownToOperatorsAndPreviewsToAdmins(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Station = newToldStation() })
	const records, preview = "/v1/topics/t/records?connector=a-1", "/v1/preview"
	require.Equal(t, 403, g.ask("viewer", "GET", records, "").Code)
	require.Equal(t, []any{"topic.records", "refused"}, []any{g.last()["action"], g.last()["outcome"]})
	require.Equal(t, 403, g.ask("orders", "GET", records, "").Code, "an admin of some connectors only: a topic may be of any")
	require.Equal(t, 200, g.ask("operator", "GET", records, "").Code)
	require.Equal(t, 403, g.ask("operator", "POST", preview, `{"config":{}}`).Code)
	require.Equal(t, []any{"connector.preview", "refused"}, []any{g.last()["action"], g.last()["outcome"]})
	require.Equal(t, 403, g.ask("orders", "POST", preview, `{"config":{}}`).Code)
	require.Equal(t, 200, g.ask("admin", "POST", preview, `{"config":{"connector.class":"x"}}`).Code)
	require.Equal(t, []any{"connector.preview", "done"}, []any{g.last()["action"], g.last()["outcome"]})
}
