package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const plainModule = "org.apache.kafka.common.security.plain.PlainLoginModule"

func TestLoginModulesAreReadAsKafkaReadsThem(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]string
	}{
		{plainModule + ` required username="alice" password="secret";`, map[string]string{"username": "alice", "password": "secret"}},
		{"  " + plainModule + "\n\trequired\n  username='al\"ice'\n  password = \"pa\\\"ss;word\" ;\n", map[string]string{"username": `al"ice`, "password": `pa"ss;word`}},
		{plainModule + ` REQUIRED a="x=y, z" b="tab\tline\noctal\101\60" c="back\\slash";`, map[string]string{"a": "x=y, z", "b": "tab\tline\noctalA0", "c": `back\slash`}},
		{plainModule + ` optional // a comment with "quotes"` + "\n" + ` /* and; another */ unquoted=word-1_$ "quoted name"="v";`, map[string]string{"unquoted": "word-1_$", "quoted name": "v"}},
		{plainModule + ` sufficient;`, map[string]string{}},
		{plainModule + ` required password="grüße//no comment";`, map[string]string{"password": "grüße//no comment"}},
	} {
		m, err := ParseJAAS(c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, plainModule, m.Class)
		require.Equal(t, "PlainLoginModule", m.Name())
		require.Equal(t, c.want, m.Options)
	}
}

func TestBadLoginModulesAreExplainedWithoutTheirSecrets(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "the login module is missing",
		`"hush" required;`:                "the login module is missing",
		plainModule:                       "the word required is missing",
		plainModule + ` password="hush";`: "the word required is missing",
		plainModule + ` required password="hush"`:                                      "the semicolon at the end is missing",
		plainModule + ` required password="hush;`:                                      "the quotation mark at character 75 is never closed",
		plainModule + ` required password hush;`:                                       "the option that starts at character 66 is not of the form",
		plainModule + ` required password=;`:                                           "the option that starts at character 66",
		plainModule + ` required =hush;`:                                               "a sign where the name of an option is expected",
		plainModule + ` required a="b"; ` + plainModule + ` required password="hush";`: "one login module is allowed",
		plainModule + " required password=\"hu\nsh\";":                                 "is never closed",
	} {
		_, err := ParseJAAS(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hush") // I-9
	}
}

// Whatever is quoted comes back, and no text makes the parser fail otherwise than by an error.
func TestLoginModuleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zA-Z0-9 =;,'/*#$%&()\[\]{}]*`).Draw(t, "value")
		m, err := ParseJAAS(plainModule + ` required password="` + value + `";`)
		require.NoError(t, err)
		require.Equal(t, value, m.Options["password"])
		_, _ = ParseJAAS(rapid.String().Draw(t, "any"))
	})
}

func FuzzParseJAAS(f *testing.F) {
	f.Add(plainModule + ` required username="alice" password="secret";`)
	f.Add(`a required b='\377' /*`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ParseJAAS(text) })
}

// I-9: also what a module holds in escapes or without quotes is hidden when it turns up apart.
func TestSecretsOfLoginModulesAreHiddenApart(t *testing.T) {
	m := NewMasker()
	m.AddProps(map[string]string{"admin.sasl.jaas.config": plainModule + ` required clientId="me" clientSecret="s3\"cret" password=unquoted1;`})
	require.Equal(t, "login of me with [hidden] and [hidden] failed", m.Text(`login of me with s3"cret and unquoted1 failed`))
}
