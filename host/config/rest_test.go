package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKafkaConnectsBasicAuthentication(t *testing.T) {
	const module = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "jaas.conf")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	good := write("// who may enter\nOther { x.Y required; };\nKafkaConnect {\n  " + module + " required\n  /* of old */ debug=true file=\"/etc/connect users.properties\";\n};\n")
	for name, c := range map[string]struct {
		class, setting, opts string
		want, err            string
	}{
		"by setting":             {basicAuthExtension, good, "", "/etc/connect users.properties", ""},
		"by option of the JVM":   {basicAuthExtension, "", "-Xmx1g -Djava.security.auth.login.config=" + good + " -Da=b", "/etc/connect users.properties", ""},
		"by option, quoted":      {"BasicAuthSecurityRestExtension", "", `-Djava.security.auth.login.config="` + good + `"`, "/etc/connect users.properties", ""},
		"nothing asked for":      {"", good, "", "", ""},
		"another extension":      {basicAuthExtension + ",com.example.Guard", good, "", "", "com.example.Guard is a Java class"},
		"no file named":          {basicAuthExtension, "", "", "", "the JAAS file is not named"},
		"no such file":           {basicAuthExtension, "/no/such", "", "", "cannot be read"},
		"no entry":               {basicAuthExtension, write("X { };"), "", "", "no entry KafkaConnect"},
		"another module":         {basicAuthExtension, write("KafkaConnect { com.example.LDAP required file=\"x\"; };"), "", "", "com.example.LDAP is a Java class"},
		"a module without users": {basicAuthExtension, write("KafkaConnect { " + module + " required; };"), "", "", "no option file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KAFKA_OPTS", c.opts)
			w, warnings, err := ParseWorker(Standalone, standaloneProps(map[string]string{"rest.extension.classes": c.class, "java.security.auth.login.config": c.setting}))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, "rest.extension.classes")
				return
			}
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, c.want, w.REST.Auth.ConnectUsersFile)
			require.Equal(t, c.want != "", w.REST.Auth.Enabled())
		})
	}
}

func TestWhoIsLetIn(t *testing.T) {
	w, warnings, err := ParseWorker(Standalone, standaloneProps(map[string]string{
		"listeners": "https://:8443", "ssl.client.auth": "requested", "rest.auth.client.certificates": "true",
		"rest.auth.users.file": "u", "rest.auth.roles.file": "r", "rest.auth.oidc.issuer": "https://i", "rest.auth.oidc.audience": "a", "rest.auth.oidc.clock.skew.seconds": "5",
		"rest.auth.oidc.ssl.truststore.location": "t", "rest.audit.file": "f", "rest.max.requests.per.second": "0",
	}))
	require.NoError(t, err)
	require.Empty(t, warnings)
	a := w.REST.Auth
	require.True(t, a.Enabled())
	require.Equal(t, 5*time.Second, a.ClockSkew)
	require.Equal(t, "t", a.IssuerTLS["ssl.truststore.location"])
	require.Equal(t, "sub", a.UserClaim)
	require.Equal(t, Limits{BodyBytes: 4 << 20, Connections: 1024, ConnectionsPerClient: 512}, w.REST.Limits)
	for key, props := range map[string]map[string]string{
		"rest.auth.roles.file":          {"rest.auth.roles.file": "r"},
		"rest.auth.oidc.issuer":         {"rest.auth.oidc.audience": "a"},
		"rest.auth.client.certificates": {"rest.auth.client.certificates": "true"},
		"rest.max.connections":          {"rest.max.connections": "0"},
	} {
		_, _, err := ParseWorker(Standalone, standaloneProps(props))
		require.ErrorContains(t, err, key)
	}
}

func TestAnOpenWorkerWithoutAnAddressStaysOnItsMachine(t *testing.T) {
	address := func(mode Mode, props map[string]string) string {
		w, _, err := ParseWorker(mode, props)
		require.NoError(t, err)
		return w.REST.Listeners[0].String()
	}
	require.Equal(t, "http://localhost:8083", address(Standalone, standaloneProps(nil)))
	require.Equal(t, "http://:8083", address(Standalone, standaloneProps(map[string]string{"listeners": "http://:8083"})))
	require.Equal(t, "http://:8083", address(Standalone, standaloneProps(map[string]string{"rest.auth.users.file": "u"})))
}
