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
	require.Nil(t, Definition("NoSuchConverter"))
}

// Each option that is described is read: a wrong value of it is an error that names it.
func TestConvertersWithARegistryDescribeTheOptionsThatTheyRead(t *testing.T) {
	for _, class := range []string{"AvroConverter", "ProtobufConverter", "JsonSchemaConverter"} {
		def := Definition(class)
		require.Contains(t, config.KeyInfos(def)[0].Name, "schema.registry.url")
		for _, k := range def.Keys() {
			require.NotEmpty(t, k.Documentation, k.Name)
			if k.Type != config.Boolean && k.Type != config.Int || k.Name == "proxy.port" {
				continue
			}
			_, err := New(class, map[string]string{"schema.registry.url": "http://localhost:1", k.Name: "x"}, false)
			require.ErrorContains(t, err, k.Name, class)
		}
	}
	require.Contains(t, Extensions("org.apache.kafka.connect.json.JsonConverter").Keys()[0].Name, "strict.values")
	require.Nil(t, Extensions("StringConverter"))
}
