package kafka

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
)

// The recipes of docs/operate.md are accepted as they stand, without a word.
func TestTheRecipesInTheManualAreAccepted(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```properties\n(.*?)```").FindAllSubmatch(manual, -1)
	require.Len(t, blocks, 5)
	base, err := config.ParseProperties("manual", blocks[0][1])
	require.NoError(t, err)
	for i, block := range blocks {
		props, err := config.ParseProperties("manual", block[1])
		require.NoError(t, err)
		for k, v := range base {
			props[k] = v
		}
		delete(props, "config.providers.file.param.allowed.paths") // the folder is not here
		w, warnings, err := config.ParseWorker(config.Distributed, props)
		require.NoError(t, err, "block %d", i)
		require.Empty(t, warnings, "block %d", i)
		for kind, prefix := range map[ClientKind]string{AdminClient: "", ProducerClient: "producer.", ConsumerClient: "consumer."} {
			client := w.ClientProps("x")
			if prefix != "" {
				client = map[string]string{}
				for k, v := range w.Props {
					if rest, ok := strings.CutPrefix(k, prefix); ok {
						client[rest] = v
					}
				}
			}
			cfg, warnings, err := ParseClientConfig(kind, client)
			require.NoError(t, err, "block %d, %s", i, kind)
			require.Empty(t, warnings, "block %d, %s", i, kind)
			if want := props[prefix+"security.protocol"]; want != "" {
				require.Equal(t, want, cfg.security.protocol)
			}
		}
	}
}
