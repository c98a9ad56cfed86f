package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/host/cli"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// A worker is ready quickly, serves REST, and leaves nothing behind.
func TestADevelopmentWorkerStartsServesAndStops(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready := make(chan cli.Ready, 1)
	ended := make(chan error, 1)
	plugins, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	began := time.Now()
	go func() {
		ended <- (&app{version: "1.0"}).dev(ctx, cli.Dev{
			REST: "127.0.0.1:0", RESTGiven: true, Data: data, Plugins: plugins, Logging: cli.Logging{Level: slog.LevelError},
			Ready: func(r cli.Ready) { ready <- r },
		})
	}()
	var r cli.Ready
	select {
	case r = <-ready:
	case err := <-ended:
		t.Fatalf("ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("not ready within 20 s")
	}
	t.Logf("ready after %v", time.Since(began))
	require.True(t, r.EmbeddedKafka)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URLs[0]+"/", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, `{"version":"4.1.0","commit":"1.0","kafka_cluster_id":"tailrace-embedded"}`, strings.TrimSpace(string(text)))
	stop()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("not stopped within 20 s")
	}
}

func TestWrongArgumentsNameTheFlag(t *testing.T) {
	for name, c := range map[string]struct {
		dev  cli.Dev
		want string
	}{
		"no plugins folder": {cli.Dev{REST: ":0", Kafka: "127.0.0.1:1", Data: t.TempDir(), Plugins: "/no/such"}, "--plugins"},
		"no port":           {cli.Dev{REST: "localhost", Kafka: "127.0.0.1:1", Data: t.TempDir(), Plugins: t.TempDir()}, "--rest"},
		"no data folder":    {cli.Dev{REST: ":0", Kafka: "127.0.0.1:1", Data: "/dev/null/x", Plugins: t.TempDir()}, "--data"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, (&app{}).dev(t.Context(), c.dev), c.want)
		})
	}
}
