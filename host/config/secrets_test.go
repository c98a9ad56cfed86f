package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testProviders returns file, dir and env providers with their allow lists, and the
// folder that they may read.
func testProviders(t *testing.T) (*Providers, string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s.properties"), []byte("user=scott\npassword=tiger#1\nnested=${file:x:y}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("line one\nline two\n"), 0o600))
	t.Setenv("CFGTEST_SECRET", "from-env")
	t.Setenv("OTHER_SECRET", "not-allowed")
	p, err := NewProviders(map[string]string{
		"config.providers":                             "file, dir,env",
		"config.providers.file.class":                  "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.file.param.allowed.paths":    dir,
		"config.providers.dir.class":                   "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
		"config.providers.dir.param.allowed.paths":     dir,
		"config.providers.env.class":                   "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
		"config.providers.env.param.allowlist.pattern": "CFGTEST_.*",
	})
	require.NoError(t, err)
	return p, dir
}

func TestReferencesAreResolvedOnceAndOthersStay(t *testing.T) {
	p, dir := testProviders(t)
	file := filepath.Join(dir, "s.properties")
	outside := filepath.Join(t.TempDir(), "s.properties")
	require.NoError(t, os.WriteFile(outside, []byte("password=other"), 0o600))
	link := filepath.Join(dir, "link.properties")
	require.NoError(t, os.Symlink(outside, link))
	cases := map[string]string{
		"plain":                     "plain",
		"${file:" + file + ":user}": "scott",
		"${file:" + file + ":user}:${file:" + file + ":password}@db": "scott:tiger#1@db",
		"${file:" + file + ":nested}":                                "${file:x:y}",
		"${file:" + file + ":missing}":                               "${file:" + file + ":missing}",
		"${file:" + dir + "/none:user}":                              "${file:" + dir + "/none:user}",
		"${file:" + outside + ":password}":                           "${file:" + outside + ":password}",
		"${file:" + link + ":password}":                              "${file:" + link + ":password}",
		"${file:" + dir + "/../x:password}":                          "${file:" + dir + "/../x:password}",
		"${dir:" + dir + ":token}":                                   "line one\nline two\n",
		"${dir:" + dir + ":../token}":                                "${dir:" + dir + ":../token}",
		"${env:CFGTEST_SECRET}":                                      "from-env",
		"${env:OTHER_SECRET}":                                        "${env:OTHER_SECRET}",
		"${topic}-${timestamp}":                                      "${topic}-${timestamp}",
		"${vault:a:b}":                                               "${vault:a:b}",
	}
	for text, want := range cases {
		t.Run(text, func(t *testing.T) {
			r := p.Resolve(map[string]string{"k": text})
			require.Equal(t, want, r.Props["k"])
			require.Equal(t, text, r.Original["k"])
			if want == text && strings.Contains(text, ":") {
				require.Empty(t, r.Secrets)
				require.Len(t, r.Unresolved, 1)
				require.Equal(t, !strings.Contains(text, "vault"), r.Unresolved[0].KnownProvider)
			}
		})
	}
}

func TestBadProvidersAreRefused(t *testing.T) {
	for _, c := range []struct{ class, param, value, err string }{
		{"com.acme.Vault", "", "", "config.providers.p.class: Class com.acme.Vault could not be found"},
		{"", "", "", `Missing required configuration "config.providers.p.class"`},
		{"FileConfigProvider", "allowed.paths", "relative", "must be absolute"},
		{"FileConfigProvider", "allowed.paths", "/does/not/exist", "does not exist"},
		{"EnvVarConfigProvider", "allowlist.pattern", "(", "Invalid regex"},
	} {
		_, err := NewProviders(map[string]string{"config.providers": "p", "config.providers.p.class": c.class, "config.providers.p.param." + c.param: c.value})
		require.ErrorContains(t, err, c.err)
	}
}

func TestTaskConfigsGetTheirReferencesBack(t *testing.T) {
	r := (&Providers{}).WithLookup("v", func(_, key string) (string, bool) { return "secret-" + key, true }).
		Resolve(map[string]string{"password": "${v:pw}", "url": "db://${v:pw}@h", "plain": "x"})
	task := map[string]string{"password": "secret-pw", "url": "db://secret-pw@h", "plain": "x", "task.id": "0", "copy": "secret-pw"}
	require.Equal(t, map[string]string{"password": "${v:pw}", "url": "db://${v:pw}@h", "plain": "x", "task.id": "0", "copy": "secret-pw"}, r.Reverse(task))
	task["password"] = "changed"
	require.Equal(t, "changed", r.Reverse(task)["password"])
}

// I-9: whatever the secrets and the text, no secret is left between the marks.
func TestNoSecretIsLeftInAText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.StringMatching(`[ab"\\]{3,6}`)
		secrets := rapid.SliceOfN(alphabet, 1, 4).Draw(t, "secrets")
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(secrets), rapid.StringMatching(`[abc ]{0,4}`)), 0, 8).Draw(t, "parts")
		text := strings.Join(parts, "")
		masked := NewMasker(secrets...).Text(text)
		for _, piece := range strings.Split(masked, Hidden) {
			for _, s := range secrets {
				require.NotContains(t, piece, s)
			}
		}
		require.Equal(t, masked, NewMasker(secrets...).Text(masked), "masking twice changes nothing")
	})
}

func TestOverlappingSecretsLeaveNoRest(t *testing.T) {
	require.Equal(t, "<[hidden]>", NewMasker("12abc", "abcXYZ").Text("<12abcXYZ>"))
}

func TestMaskerHidesWhatProvidersAndPasswordsHold(t *testing.T) {
	def := NewDef(Key{Name: "pin", Type: Password, Default: Null()}, Key{Name: "my.password.file", Type: String, Default: Null()})
	r := (&Providers{}).WithLookup("v", func(_, key string) (string, bool) { return "s3cr3t+" + key, true }).Resolve(map[string]string{
		"pin": "7", "url": "db://u:${v:pw}@h", "my.password.file": "/etc/pw", "sasl.password": "hunter22",
		"value.converter.basic.auth.user.info": "user:pass99",
		"producer.override.sasl.jaas.config":   `org.x.PlainLoginModule required username="u" password="jaaspw1";`,
		"ssl.keystore.key":                     "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0\nAoGBAKj34GkxFhD90vcNLYLIn\n-----END KEY-----\n",
		"ref.password":                         "${other:x}",
	})
	m := r.Masker(def)
	require.Equal(t, map[string]string{
		"pin": Hidden, "url": Hidden, "my.password.file": "/etc/pw", "sasl.password": Hidden,
		"value.converter.basic.auth.user.info": Hidden, "producer.override.sasl.jaas.config": Hidden,
		"ssl.keystore.key": Hidden, "ref.password": "${other:x}",
	}, m.Props(r.Props))
	for _, text := range []string{
		"login s3cr3t+pw failed", "url https://h?p=s3cr3t%2Bpw", "user jaaspw1 refused", `json "hunter22"`,
		"bad key line AoGBAKj34GkxFhD90vcNLYLIn",
	} {
		require.Contains(t, m.Text(text), Hidden, text)
	}
	require.Equal(t, "step 7 of 9", m.Text("step 7 of 9"), "a secret of one character does not tear texts apart")

	wrapped := fmt.Errorf("cannot log in: %w", errors.New("hunter22 is wrong"))
	require.EqualError(t, m.Error(wrapped), "cannot log in: [hidden] is wrong")
	require.Nil(t, errors.Unwrap(m.Error(wrapped)))
	require.NoError(t, m.Error(nil))
	require.Equal(t, "x", (*Masker)(nil).Text("x"))
}

func TestSecretsDoNotPrintThemselves(t *testing.T) {
	s := NewSecret("tiger")
	require.Equal(t, "[hidden] [hidden] [hidden] [hidden]", fmt.Sprintf("%v %s %+v %#v", s, s, s, s))
	require.NotContains(t, fmt.Sprint(Values{"p": s}), "tiger")
	require.Equal(t, "tiger", s.Reveal())
}

// I-9: a validate answer shows references as written, also in errors.
func TestValidateAnswerHoldsNoResolvedValue(t *testing.T) {
	w := testWorker(t, nil)
	w.Providers = w.Providers.WithLookup("v", func(_, key string) (string, bool) { return "top-" + key, true })
	def := NewDef(Key{Name: "port", Type: Int, Importance: High}, Key{Name: "pw", Type: Password, Importance: High},
		Key{Name: "odd", Type: Password, Importance: High, Validator: Check("", func(name string, v any) error {
			return fmt.Errorf("bad value %s", v.(Secret).Reveal())
		})})
	props := map[string]string{
		"name": "n", "connector.class": "x", "tasks.max": "${v:max}", "port": "${v:port}", "pw": "inline-pw",
		"odd": "inline-odd", "process.env.API_TOKEN": "env-token", "producer.override.client.id": "${v:id}",
	}
	r := ValidateRequest{Kind: Source, Props: props, Worker: w}
	infos := r.Validate(NewReport(def, def.Validate(w.Providers.Resolve(props).Props)))
	shown := fmt.Sprintf("%+v", infos.Configs)
	for _, info := range infos.Configs {
		if info.Value.Value != nil {
			shown += *info.Value.Value + " "
		}
	}
	for _, secret := range []string{"top-", "inline-pw", "inline-odd", "env-token"} {
		require.NotContains(t, shown, secret)
	}
	require.Contains(t, infos.Errors(), "Invalid value ${v:port} for configuration port: Not a number of type INT")
	require.Contains(t, infos.Errors(), "bad value [hidden]")
}

func TestErrorsShowReferencesAsWritten(t *testing.T) {
	w := testWorker(t, nil)
	w.Providers = w.Providers.WithLookup("v", func(_, key string) (string, bool) {
		return map[string]string{"max": "0", "list": "dup,dup", "mode": " some "}[key], true
	})
	r := ValidateRequest{Kind: Source, Worker: w, Props: map[string]string{
		"name": "n", "connector.class": "x", "tasks.max": "${v:max}", "transforms": "${v:list}", "errors.tolerance": "${v:mode}",
	}}
	require.Equal(t, []string{
		"Invalid value ${v:max} for configuration tasks.max: Value must be at least 1",
		"Invalid value ${v:list} for configuration transforms: Duplicate alias provided.",
		"Invalid value ${v:mode} for configuration errors.tolerance: String must be one of: none, all",
	}, r.Validate(Report{}).Errors())
}
