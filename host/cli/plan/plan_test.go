package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type m = map[string]string

func secret(key string) bool          { return strings.HasSuffix(key, "password") }
func secretOf(class, key string) bool { return secret(key) || class == "vault" && key == "pin" }
func text(s string) *string           { return &s }
func named(name string, config m) Wanted {
	return Wanted{File: name + ".json", Name: name, Config: config}
}

func TestStepsSayWhatToDo(t *testing.T) {
	for name, k := range map[string]struct {
		wanted  Wanted
		current map[string]m
		action  Action
		changes []Change
	}{
		"new":                        {named("a", m{"k": "v"}), nil, Create, []Change{{"k", nil, text("v")}, {"name", nil, text("a")}}},
		"the same":                   {named("a", m{"k": "v", "name": "a"}), map[string]m{"a": {"k": "v", "name": "a"}}, Unchanged, []Change{}},
		"the same without its name":  {named("a", m{"k": "v"}), map[string]m{"a": {"k": "v", "name": "a"}}, Unchanged, []Change{}},
		"a name the worker left out": {named("a", m{"k": "v", "name": "a"}), map[string]m{"a": {"k": "v"}}, Unchanged, []Change{}},
		"changed":                    {named("a", m{"k": "w"}), map[string]m{"a": {"k": "v"}}, Update, []Change{{"k", text("v"), text("w")}}},
		"a key less":                 {named("a", m{}), map[string]m{"a": {"k": "v"}}, Update, []Change{{"k", text("v"), nil}}},
		"a secret": {
			named("a", m{"password": "new"}),
			map[string]m{"a": {"password": "old"}},
			Update,
			[]Change{{"password", text(Hidden), text(Hidden)}},
		},
		"a secret becomes a reference": {
			named("a", m{"password": "${file:/s:p}"}),
			map[string]m{"a": {"password": "old"}},
			Update,
			[]Change{{"password", text(Hidden), text("${file:/s:p}")}},
		},
		"a secret of the plugin": {
			named("a", m{"connector.class": "vault", "pin": "1"}),
			map[string]m{"a": {"connector.class": "vault"}},
			Update,
			[]Change{{"pin", nil, text(Hidden)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := Steps([]Wanted{k.wanted}, k.current, secretOf)
			require.NoError(t, err)
			require.Len(t, steps, 1)
			require.Equal(t, k.action, steps[0].Action)
			require.Empty(t, cmp.Diff(k.changes, steps[0].Changes))
		})
	}
}

func TestStepsRefuseWhatWouldDoHarm(t *testing.T) {
	_, err := Steps([]Wanted{{File: "x", Name: "a"}, {File: "y", Name: "a"}}, nil, secretOf)
	require.EqualError(t, err, "x and y both describe the connector a; keep one")
	_, err = Steps([]Wanted{named("a", m{"password": Hidden})}, nil, secretOf)
	require.ErrorContains(t, err, "a.json: the value of password is [hidden]")
}

func TestAPatchTurnsOneConfigurationIntoTheOther(t *testing.T) {
	configs := rapid.MapOf(rapid.StringMatching("[a-c]|db.password"), rapid.StringMatching("[xy]|"))
	rapid.Check(t, func(t *rapid.T) {
		before, after := configs.Draw(t, "before"), configs.Draw(t, "after")
		got := m{}
		for k, v := range before {
			got[k] = v
		}
		for k, v := range Patch(before, after) {
			if v == nil {
				delete(got, k)
			} else {
				got[k] = *v
			}
		}
		require.Equal(t, after, got)
		require.Equal(t, before, Unmasked(Masked(before, secret), before), "an edit that changes nothing keeps the secrets")
	})
}

func TestNoSecretIsShown(t *testing.T) {
	// I-9
	config := m{"db.password": "geheim", "ref.password": "${env:PW}", "mix.password": "x${env:PW}", "short.password": "abc", "empty.password": "", "file": "/f"}
	require.Equal(t, m{
		"db.password": Hidden, "ref.password": "${env:PW}", "mix.password": Hidden, "short.password": Hidden, "empty.password": "", "file": "/f",
	}, Masked(config, secret))
	require.Equal(t, "Invalid value [hidden] for /f, abc", Redact("Invalid value geheim for /f, abc", config, secret))
}
