package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds every wait in these tests.
const limit = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func startBroker(t testing.TB, cfg EmbeddedConfig) *Embedded {
	b, err := StartEmbedded(cfg)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

func testConfig(t testing.TB, kind ClientKind, addr string, props map[string]string) ClientConfig {
	all := map[string]string{"bootstrap.servers": addr, "client.id": "test-" + string(kind)}
	for k, v := range props {
		all[k] = v
	}
	cfg, warnings, err := ParseClientConfig(kind, all)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return cfg
}

func newProducer(t testing.TB, addr string, props map[string]string) *Producer {
	p, err := NewProducer(testConfig(t, ProducerClient, addr, props))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		require.NoError(t, p.Close(ctx))
	})
	return p
}

func newAdmin(t testing.TB, addr string) *Admin {
	a, err := NewAdmin(testConfig(t, AdminClient, addr, nil))
	require.NoError(t, err)
	t.Cleanup(a.Close)
	return a
}

// produce sends one batch and waits for its result.
func produce(t testing.TB, p *Producer, b *Batch) BatchResult {
	results := make(chan BatchResult, 1)
	p.Produce(within(t), b, func(r BatchResult) { results <- r })
	select {
	case r := <-results:
		return r
	case <-time.After(limit):
		t.Fatal("the batch was not reported")
		return BatchResult{}
	}
}

// eventually waits for a condition with a deadline.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, limit, 5*time.Millisecond, what)
}
