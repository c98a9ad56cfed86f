package connect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
)

type tls struct {
	Verify bool `config:"verify" default:"true" doc:"Check the certificate."`
}

type sample struct {
	File   string            `config:"file" required:"true" importance:"high" doc:"Path."`
	Batch  int32             `config:"batch.size" default:"2000" min:"1" max:"5000" doc:"Lines."`
	Short  int16             `config:"short" default:"1" doc:"Short."`
	Big    int64             `config:"big" default:"9" doc:"Long."`
	Ratio  float64           `config:"ratio" default:"0.5" doc:"Double."`
	Idle   time.Duration     `config:"idle.ms" default:"1500" doc:"Wait."`
	Format string            `config:"format" default:"lines" valid:"lines,json" doc:"Format."`
	Token  connect.Password  `config:"token" nonempty:"true" doc:"Secret."`
	Fields []string          `config:"fields" default:"" doc:"List."`
	Limit  *int64            `config:"limit" doc:"Null when absent."`
	TLS    tls               `config:"tls."`
	Extra  map[string]string `config:"client.*"`
}

func TestBindReadsAStructByItsTags(t *testing.T) {
	var s sample
	require.NoError(t, connect.Bind(connect.Config{
		"file": "a.log", "fields": " a, b ,c", "limit": "7", "tls.verify": "FALSE", "client.id": "x", "token": "secret", "other": "ignored", "big": " 12 ",
	}, &s))
	seven := int64(7)
	require.Equal(t, sample{
		File: "a.log", Batch: 2000, Short: 1, Big: 12, Ratio: 0.5, Idle: 1500 * time.Millisecond, Format: "lines", Token: "secret",
		Fields: []string{"a", "b", "c"}, Limit: &seven, Extra: map[string]string{"id": "x"},
	}, s)

	var again sample
	require.NoError(t, connect.Bind(connect.Config{"file": "b"}, &again))
	require.Nil(t, again.Limit)
	require.Empty(t, again.Fields)
	require.True(t, again.TLS.Verify)
}

func TestConfigErrorsNameKeyValueAndReasonInKafkasWords(t *testing.T) {
	cases := map[string]struct{ key, value, want string }{
		"not a number":  {"batch.size", "abc", `Invalid value abc for configuration batch.size: Not a number of type INT`},
		"too large int": {"batch.size", "3000000000", `Invalid value 3000000000 for configuration batch.size: Not a number of type INT`},
		"below":         {"batch.size", "0", `Invalid value 0 for configuration batch.size: Value must be at least 1`},
		"above":         {"batch.size", "5001", `Invalid value 5001 for configuration batch.size: Value must be no more than 5000`},
		"short":         {"short", "40000", `Invalid value 40000 for configuration short: Not a number of type SHORT`},
		"double":        {"ratio", "x", `Invalid value x for configuration ratio: Not a number of type DOUBLE`},
		"boolean":       {"tls.verify", "yes", `Invalid value yes for configuration tls.verify: Expected value to be either true or false`},
		"choice":        {"format", "xml", `Invalid value xml for configuration format: String must be one of: lines, json`},
		"hidden":        {"token", " ", `Invalid value [hidden] for configuration token: String must be non-empty`},
		"duration":      {"idle.ms", "9223372036854775807", `Invalid value 9223372036854775807 for configuration idle.ms: want milliseconds`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var s sample
			err := connect.Bind(connect.Config{"file": "a", c.key: c.value}, &s)
			var config *connect.ConfigError
			require.ErrorAs(t, err, &config)
			require.Equal(t, c.key, config.Issues[0].Key)
			require.Equal(t, c.want, err.Error())
		})
	}
	var s sample
	require.EqualError(t, connect.Bind(nil, &s), `Missing required configuration "file" which has no default value.`)
	err := connect.Bind(connect.Config{"short": "x", "big": "y"}, &s)
	require.ErrorContains(t, err, "file")
	require.ErrorContains(t, err, "short")
	require.ErrorContains(t, err, "big") // all at once
}

func TestMistakesInADefinitionAreTold(t *testing.T) {
	require.ErrorContains(t, connect.NewConfigDef(connect.ConfigKey{Name: "a"}, connect.ConfigKey{Name: "a"}).Err(), "defined twice")
	require.ErrorContains(t, connect.NewConfigDef(connect.ConfigKey{Name: "a", Type: connect.TypeInt, Default: "x", HasDefault: true}).Err(), "Not a number")
	require.ErrorContains(t, connect.DefineStruct(struct {
		A chan int `config:"a"`
	}{}).Err(), "cannot take a configuration value")
	require.ErrorContains(t, connect.DefineStruct(struct {
		A string `config:"a" required:"true" default:"x"`
	}{}).Err(), "required and has a default")
	require.ErrorContains(t, connect.DefineStruct(5).Err(), "wants a struct")
	_, err := connect.NewService(connect.Plugin{Name: "Bad Name"})
	require.ErrorContains(t, err, "plugin name")
	require.ErrorContains(t, err, "version is empty")
	require.ErrorContains(t, err, "the plugin offers nothing")
}

func TestPasswordsDoNotPrint(t *testing.T) { // I-9
	p := connect.Password("secret")
	b, err := json.Marshal(map[string]any{"p": p})
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %s %+v %#v %q %s", p, p, p, p, p, b), "secret")
	require.Equal(t, "secret", p.Reveal())
}

func TestChecksOfAKeyRunLast(t *testing.T) {
	def := connect.NewConfigDef(connect.ConfigKey{Name: "n", Type: connect.TypeInt, Check: func(v string) error {
		if v == "13" {
			return errors.New("it brings bad luck")
		}
		return nil
	}})
	require.Empty(t, def.Validate(connect.Config{"n": "12"}))
	require.Equal(t, "Invalid value 13 for configuration n: it brings bad luck", def.Validate(connect.Config{"n": "13"})[0].Message)
	require.Empty(t, def.Validate(nil)) // null
}

func TestValidValuesInAnyCaseAreBoundAsTheyAreDefined(t *testing.T) {
	type config struct {
		Mode  string   `config:"mode" default:"none" valid:"none,best_fit" anycase:"true" doc:"Mode."`
		Kinds []string `config:"kinds" default:"" valid:"TABLE,VIEW" anycase:"true" doc:"Kinds."`
	}
	var c config
	require.NoError(t, connect.Bind(connect.Config{"mode": " BEST_Fit", "kinds": "table, View"}, &c))
	require.Equal(t, config{Mode: "best_fit", Kinds: []string{"TABLE", "VIEW"}}, c)
	err := connect.Bind(connect.Config{"mode": "worst_fit"}, &c)
	require.EqualError(t, err, "Invalid value worst_fit for configuration mode: String must be one of (case insensitive): none, best_fit")
}

func TestAnIssueOfASecretDoesNotShowIt(t *testing.T) {
	require.Equal(t, connect.ConfigIssue{Key: "url", Message: "Invalid value [hidden] for configuration url: no host"}, connect.HiddenValue("url", "no host"))
}
