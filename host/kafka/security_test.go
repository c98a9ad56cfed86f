package kafka

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/tlsconfig"
	"github.com/tailrace/tailrace/test/env/pki"
)

const (
	plainLogin = `org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="hush-hush";`
	scramLogin = `org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="hush-hush";`
	oauthClass = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule`
)

func TestLoginSettingsThatCannotWorkSayWhyAndHoldNoSecret(t *testing.T) {
	for _, c := range []struct {
		props map[string]string
		want  string
	}{
		{map[string]string{"security.protocol": "TLS"}, "security.protocol: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"},
		{map[string]string{"sasl.jaas.config": plainLogin}, "sasl.mechanism: it is not set, and Kafka's default GSSAPI"},
		{map[string]string{"sasl.mechanism": "GSSAPI"}, "GSSAPI (Kerberos) does not work here"},
		{map[string]string{"sasl.mechanism": "AWS_MSK_IAM"}, "AWS_MSK_IAM is not known"},
		{map[string]string{"sasl.mechanism": "PLAIN"}, "java.security.auth.login.config is not read: copy its KafkaClient entry"},
		{map[string]string{"sasl.mechanism": "PLAIN", "sasl.jaas.config": scramLogin}, "ScramLoginModule is for SCRAM-SHA-256 and SCRAM-SHA-512, but sasl.mechanism is PLAIN"},
		{map[string]string{"sasl.mechanism": "PLAIN", "sasl.jaas.config": strings.TrimSuffix(plainLogin, ";")}, "sasl.jaas.config: the semicolon at the end is missing"},
		{map[string]string{"sasl.mechanism": "PLAIN", "sasl.jaas.config": `com.sun.security.auth.module.JndiLoginModule required password="hush-hush";`}, "com.sun.security.auth.module.JndiLoginModule is a Java class and cannot run here"},
		{map[string]string{"sasl.mechanism": "SCRAM-SHA-256", "sasl.jaas.config": strings.Replace(scramLogin, "username", "user", 1)}, "the option username of ScramLoginModule is missing"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.jaas.config": oauthClass + ` required;`}, "the option unsecuredLoginStringClaim_sub, the name of the user, is missing"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.jaas.config": oauthClass + ` required unsecuredLoginStringClaim_sub="a" unsecuredLoginNumberClaim_x="hush-hush";`}, "the option unsecuredLoginNumberClaim_x is not a number"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.login.callback.handler.class": "a.b.OAuthBearerLoginCallbackHandler"}, "sasl.oauthbearer.token.endpoint.url: it is not set"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.login.callback.handler.class": "io.acme.Handler"}, "it is a Java class and cannot run here"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": "https://idp/token", "sasl.jaas.config": oauthClass + ` required clientSecret="hush-hush";`}, "the option clientId of OAuthBearerLoginModule is missing"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": "ldap://idp"}, "it is not an https, http or file URL"},
		{map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": "https://idp", "sasl.oauthbearer.jwt.retriever.class": "x.JwtBearerJwtRetriever"}, "sasl.oauthbearer.assertion.private.key.file: it is not set"},
		{map[string]string{"sasl.mechanism": "PLAIN", "sasl.jaas.config": plainLogin, "security.protocol": "SASL_SSL", "ssl.truststore.type": "XYZ"}, "ssl.truststore.type: \"XYZ\" is not known"},
	} {
		if c.props["security.protocol"] == "" {
			c.props["security.protocol"] = "sasl_plaintext"
		}
		_, _, err := ParseClientConfig(AdminClient, c.props)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "hush-hush") // I-9
		var one *ConfigError
		require.ErrorAs(t, err, &one)
	}
}

func TestSecurityKeysWithoutEffectAreWarnedAbout(t *testing.T) {
	_, warnings, err := ParseClientConfig(ConsumerClient, map[string]string{
		"ssl.trustore.location": "/t", "ssl.provider": "BC", "sasl.login.class": "a.B", "ssl.keymanager.algorithm": "SunX509",
		"sasl.oauthbearer.jwks.endpoint.url": "https://x", "sasl.kerberos.service.name": "kafka", "fetch.max.byte": "1",
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"client property fetch.max.byte is unknown and has no effect; did you mean fetch.max.bytes?",
		"client property sasl.kerberos.service.name has no effect: Kerberos (GSSAPI) does not work here",
		"client property sasl.login.class has no effect: login classes are Java classes and cannot run in this worker",
		"client property ssl.provider has no effect: security providers are Java classes; Go's TLS is used",
		"client property ssl.trustore.location is unknown and has no effect; did you mean ssl.truststore.location?",
	}, warnings)
}

// I-9: a configuration that is printed by mistake shows no secret.
func TestAClientConfigDoesNotPrintItsSecrets(t *testing.T) {
	cfg, _, err := ParseClientConfig(ProducerClient, map[string]string{
		"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": scramLogin,
		"ssl.truststore.location": "/t", "ssl.truststore.password": "hush-trust",
	})
	require.NoError(t, err)
	text := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)
	require.NotContains(t, text, "hush")
	_, err = NewProducer(cfg)
	require.ErrorContains(t, err, "ssl.truststore.location: the file cannot be read: stat /t: no such file or directory")
}

func TestBootstrapServersMayNameTheirProtocol(t *testing.T) {
	cfg, _, err := ParseClientConfig(AdminClient, map[string]string{"bootstrap.servers": "SASL_SSL://a:9093,b:9094"})
	require.NoError(t, err)
	require.Equal(t, []string{"a:9093", "b:9094"}, cfg.BootstrapServers)
}

// tokenClaims reads the payload of a token.
func tokenClaims(t *testing.T, text string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, into))
	}
	return header, payload
}

func TestUnsecuredTokensAreThoseOfKafka(t *testing.T) {
	u, err := parseUnsecured(map[string]string{
		"unsecuredLoginStringClaim_user": "alice", "unsecuredLoginPrincipalClaimName": "user", "unsecuredLoginNumberClaim_n": "1.5",
		"unsecuredLoginListClaim_scope": "|a|b", "unsecuredLoginLifetimeSeconds": "60", "unsecuredLoginExtension_x": "y",
	})
	require.NoError(t, err)
	tok, err := u.make(t.Context())
	require.NoError(t, err)
	header, claims := tokenClaims(t, tok.text)
	require.Equal(t, map[string]any{"alg": "none"}, header)
	require.Equal(t, "alice", claims["user"])
	require.InDelta(t, 1.5, claims["n"], 0)
	require.Equal(t, []any{"a", "b"}, claims["scope"])
	require.InDelta(t, 60, claims["exp"].(float64)-claims["iat"].(float64), 0.01)
	require.True(t, strings.HasSuffix(tok.text, "."))
	require.Equal(t, map[string]string{"x": "y"}, u.extensions)
}

// endpoint answers token requests as an identity provider; answer may be changed.
func endpoint(t *testing.T, answer func(http.ResponseWriter, *http.Request)) (address string, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/token", calls
}

func tokenKeeperOf(t *testing.T, props map[string]string) *tokenKeeper {
	t.Helper()
	props["security.protocol"], props["sasl.mechanism"] = "SASL_PLAINTEXT", "OAUTHBEARER"
	l, err := parseLogin(props)
	require.NoError(t, err)
	m, err := tlsconfig.Open(l.token.tls, "a test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return &tokenKeeper{settings: l.token, fetch: func(ctx context.Context) (token, error) { return l.token.request(ctx, m) }}
}

func TestClientCredentialsAreSentAsKafkaSendsThem(t *testing.T) {
	address, calls := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.Method != http.MethodPost || id != "the/client" || secret != "s3cret/+" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka read" {
			http.Error(w, "not as expected", http.StatusTeapot)
			return
		}
		fmt.Fprint(w, `{"access_token":"opaque","expires_in":3600}`)
	})
	for name, props := range map[string]map[string]string{
		"options of the login module": {"sasl.jaas.config": oauthClass + ` required clientId="the/client" clientSecret="s3cret/+" scope="kafka read";`},
		"settings of Kafka 4.1": {
			"sasl.oauthbearer.client.credentials.client.id": "the/client", "sasl.oauthbearer.client.credentials.client.secret": "s3cret/+",
			"sasl.oauthbearer.scope": "kafka read", "sasl.oauthbearer.jwt.retriever.class": "org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever",
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls.Store(0)
			props["sasl.oauthbearer.token.endpoint.url"] = address
			k := tokenKeeperOf(t, props)
			for range 3 {
				tok, err := k.get(t.Context())
				require.NoError(t, err)
				require.Equal(t, "opaque", tok.text)
			}
			require.EqualValues(t, 1, calls.Load(), "a token is used until it is to be renewed")
		})
	}
}

func TestATokenIsRenewedBeforeItsEndAndKeptWhileTheEndpointFails(t *testing.T) {
	s := &tokenSettings{refreshFactor: 0.8, refreshJitter: 0.05, refreshBuffer: 5 * time.Minute, refreshMin: time.Minute}
	issued := time.Now()
	for life, want := range map[time.Duration][2]time.Duration{
		time.Hour:        {48 * time.Minute, 51 * time.Minute},
		10 * time.Minute: {5 * time.Minute, 5 * time.Minute}, // five minutes before its end
		10 * time.Second: {8 * time.Second, 8500 * time.Millisecond},
	} {
		tok := token{issued: issued, expires: issued.Add(life)}
		require.Equal(t, want, [2]time.Duration{s.refreshAt(tok, 0).Sub(issued), s.refreshAt(tok, 1).Sub(issued)}, life)
	}

	failing := errors.New("away")
	k := &tokenKeeper{settings: s, current: token{text: "old", expires: time.Now().Add(time.Minute)}, fetch: func(context.Context) (token, error) { return token{}, failing }}
	tok, err := k.get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "old", tok.text)
	k.current.expires = time.Now()
	_, err = k.get(t.Context())
	require.ErrorIs(t, err, failing)
}

func TestAnEndpointThatFailsIsAskedAgainAndOneThatRefusesIsNot(t *testing.T) {
	props := func(address string) map[string]string {
		return map[string]string{
			"sasl.oauthbearer.token.endpoint.url": address, "sasl.login.retry.backoff.ms": "1", "sasl.login.retry.backoff.max.ms": "5000",
			"sasl.jaas.config": oauthClass + ` required clientId="me" clientSecret="hush-hush";`,
		}
	}
	var n atomic.Int32
	address, calls := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"access_token":"opaque"}`)
	})
	_, err := tokenKeeperOf(t, props(address)).get(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, calls.Load())

	for answer, want := range map[string]string{
		`{"error":"invalid_client","error_description":"secret hush-hush is wrong"}`: "answered 401: invalid_client secret [hidden] is wrong",
		`hush-hush`: "answered 401",
	} {
		address, calls = endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, answer)
		})
		_, err = tokenKeeperOf(t, props(address)).get(t.Context())
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hush-hush") // I-9
		require.EqualValues(t, 1, calls.Load())
		require.ErrorIs(t, newError("connect", "", err), ErrAuthentication)
		require.False(t, IsRetriable(err))
	}
	for answer, want := range map[string]string{
		`{}`:                           "holds no access_token",
		`{"access_token":"two words"}`: "holds blanks",
		`{"access_token":"a.` + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1}`)) + `.b"}`: "the token has expired at 1970-01-01T00:00:01Z",
	} {
		address, _ = endpoint(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		_, err = tokenKeeperOf(t, props(address)).get(t.Context())
		require.ErrorContains(t, err, want)
	}
}

func TestATokenOfAFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	l, err := parseLogin(map[string]string{"sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.token.endpoint.url": "file://" + file})
	require.NoError(t, err)
	tok, err := l.token.readFile(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", tok.text)
}

func TestASignedAssertionProvesTheClient(t *testing.T) {
	id := pki.NewAuthority(t, "client")
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(keyFile, []byte(id.KeyPEM(t)), 0o600))
	template := filepath.Join(t.TempDir(), "template.json")
	require.NoError(t, os.WriteFile(template, []byte(`{"header":{"kid":"k1"},"payload":{"tenant":"t"}}`), 0o600))
	address, _ := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		jwt := r.FormValue("assertion")
		header, claims := tokenClaims(t, jwt)
		raw, err := base64.RawURLEncoding.DecodeString(jwt[strings.LastIndexByte(jwt, '.')+1:])
		digest := sha256.Sum256([]byte(jwt[:strings.LastIndexByte(jwt, '.')]))
		good := err == nil && len(raw) == 64 &&
			ecdsa.Verify(&id.Key.PublicKey, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
		if !good || header["kid"] != "k1" || header["alg"] != "ES256" || claims["tenant"] != "t" || claims["sub"] != "me" || claims["jti"] == nil ||
			r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"access_token":"opaque"}`)
	})
	props := map[string]string{
		"sasl.oauthbearer.token.endpoint.url": address, "sasl.oauthbearer.jwt.retriever.class": "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever",
		"sasl.oauthbearer.assertion.algorithm": "ES256", "sasl.oauthbearer.assertion.private.key.file": keyFile,
		"sasl.oauthbearer.assertion.template.file": template, "sasl.oauthbearer.assertion.claim.sub": "me", "sasl.oauthbearer.assertion.claim.jti.include": "true",
	}
	_, err := tokenKeeperOf(t, props).get(t.Context())
	require.NoError(t, err)

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	a := &assertionSettings{keyFile: keyFile, algorithm: "RS256"}
	signature, err := a.sign("input")
	require.NoError(t, err)
	digest := sha256.Sum256([]byte("input"))
	require.NoError(t, rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, digest[:], signature))
	a.algorithm = "ES256"
	_, err = a.sign("input")
	require.ErrorContains(t, err, "is not one for ES256")
}

func TestARefusalNamesTheRightAndTheResource(t *testing.T) {
	for _, c := range []struct{ op, subject, code, want string }{
		{"create topic", "orders", "TOPIC_AUTHORIZATION_FAILED", "grant this client's principal CREATE on topic orders (kafka-acls.sh --add --allow-principal User:… --operation CREATE --topic orders)"},
		{"create topic", "orders", "CLUSTER_AUTHORIZATION_FAILED", "CREATE on the cluster (kafka-acls.sh --add --allow-principal User:… --operation CREATE --cluster)"},
		{"produce", "topic orders", "TOPIC_AUTHORIZATION_FAILED", "WRITE on topic orders"},
		{"fetch from", "partition orders-2024-7", "TOPIC_AUTHORIZATION_FAILED", "READ on topic orders-2024 "},
		{"commit offsets", "of group connect-s", "GROUP_AUTHORIZATION_FAILED", "READ on group connect-s "},
		{"commit offsets", "of group connect-s", "TOPIC_AUTHORIZATION_FAILED", "READ on the topic "},
		{"join group", "connect-cluster", "GROUP_AUTHORIZATION_FAILED", "READ on group connect-cluster "},
		{"delete group", "connect-s", "GROUP_AUTHORIZATION_FAILED", "DELETE on group connect-s "},
		{"read offsets of group", "connect-s", "GROUP_AUTHORIZATION_FAILED", "DESCRIBE on group connect-s "},
		{"open topic log", "connect-configs", "TOPIC_AUTHORIZATION_FAILED", "READ and WRITE on topic connect-configs (kafka-acls.sh --add --allow-principal User:… --operation READ --operation WRITE --topic connect-configs)"},
		{"produce", "topic orders", "CLUSTER_AUTHORIZATION_FAILED", "WRITE on topic orders (kafka-acls.sh --add --allow-principal User:… --operation WRITE --topic orders); brokers older than 2.8 want IDEMPOTENT_WRITE on the cluster too"},
		{"produce", "topic orders", "NOT_LEADER_OR_FOLLOWER", ""},
	} {
		got := missingRight(c.op, c.subject, c.code)
		require.Contains(t, got, c.want, c)
		require.Equal(t, c.want == "", got == "")
	}
}
