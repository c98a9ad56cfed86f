package edge

import (
	"testing"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// broker starts an embedded broker.
func broker(t *testing.T) string {
	t.Helper()
	b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Addr()
}
