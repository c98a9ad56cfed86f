package convert

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
)

// testdata/converter_config_defs.json was recorded from Kafka Connect 4.1.
func TestConvertersDescribeTheirOptionsAsKafkaConnectDoes(t *testing.T) {
	text, err := os.ReadFile("testdata/converter_config_defs.json")
	require.NoError(t, err)
	var recorded map[string][]struct {
		Name, Type, Importance, Group, Width, DisplayName string
		Validator                                         string
		Required                                          bool
		Default                                           any
		Order                                             *int
		Dependents                                        []string
	}
	require.NoError(t, json.Unmarshal(text, &recorded))
	require.Len(t, recorded, 10)
	for class, want := range recorded {
		def := Definition(class)
		require.NotNil(t, def, class)
		infos := config.KeyInfos(def)
		require.Len(t, infos, len(want), class)
		for i, w := range want {
			got := infos[i]
			require.Equal(t, []any{w.Name, w.Type, w.Importance, w.Width, w.DisplayName, w.Required},
				[]any{got.Name, string(got.Type), string(got.Importance), string(got.Width), got.DisplayName, got.Required}, class)
			require.NotEmpty(t, got.Documentation)
			require.ElementsMatch(t, w.Dependents, got.Dependents)
			if w.Group == "" {
				require.Nil(t, got.Group)
				require.Equal(t, -1, got.Order)
			} else {
				require.Equal(t, w.Group, *got.Group)
				require.Equal(t, *w.Order, got.Order)
			}
			if w.Default != nil {
				value, err := json.Marshal(w.Default)
				require.NoError(t, err)
				if s, ok := w.Default.(string); ok {
					value = []byte(s)
				}
				require.Equal(t, string(value), *got.DefaultValue)
			}
			if w.Validator != "" {
				require.Equal(t, w.Validator, def.Key(w.Name).Validator.String())
			}
		}
	}
	require.Nil(t, Definition("AvroConverter"))
}
