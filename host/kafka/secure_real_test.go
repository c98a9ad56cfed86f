package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/pki"
)

func secured(t *testing.T, kind ClientKind, bootstrap string, props ...map[string]string) ClientConfig {
	t.Helper()
	all := map[string]string{"bootstrap.servers": bootstrap, "request.timeout.ms": "5000"}
	for _, p := range props {
		maps.Copy(all, p)
	}
	cfg, warnings, err := ParseClientConfig(kind, all)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return cfg
}

func loginProps(protocol, mechanism, jaas string) map[string]string {
	return map[string]string{"security.protocol": protocol, "sasl.mechanism": mechanism, "sasl.jaas.config": jaas}
}

func scramJaas(user, password string) string {
	return fmt.Sprintf(`org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";`, user, password)
}

// trip sends a record and reads it back, with clients that have the same settings.
func trip(t *testing.T, bootstrap, topic, group string, props ...map[string]string) error {
	t.Helper()
	admin, err := NewAdmin(secured(t, AdminClient, bootstrap, props...))
	require.NoError(t, err)
	defer admin.Close()
	ready, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := admin.WaitReady(ready); err != nil {
		if errors.Is(err, ErrAuthentication) && admin.cfg.security.protocol != "PLAINTEXT" {
			require.Equal(t, err.Error()[strings.Index(err.Error(), bootstrap):],
				strings.TrimPrefix(Authenticate(t.Context(), admin.cfg).Error(), "kafka: log in to "))
		}
		return err
	}
	require.NoError(t, Authenticate(t.Context(), admin.cfg))
	p, err := NewProducer(secured(t, ProducerClient, bootstrap, props...))
	require.NoError(t, err)
	defer func() { _ = p.Close(within(t)) }()
	b := p.NewBatch(1)
	b.Append(topic, 0, TimestampNow, nil, []byte("v"))
	if err := produce(t, p, b).Err(); err != nil {
		return err
	}
	cfg := secured(t, ConsumerClient, bootstrap, append(props, map[string]string{"group.id": group})...)
	c, err := NewConsumer(cfg, Subscription{Topics: []string{topic}}, RebalanceListener{})
	require.NoError(t, err)
	defer func() { _ = c.Close(within(t)) }()
	for {
		f, err := c.Poll(within(t), -1)
		if err != nil {
			return err
		}
		if f.Len() > 0 {
			return c.Commit(within(t), map[TopicPartition]int64{{topic, 0}: 1})
		}
	}
}

func TestRealKafkaIsSpokenToWithEveryKindOfSecurity(t *testing.T) {
	broker := env.SecureKafka(t)
	broker.ScramUser(t, "alice", `sec ret"+`)
	topic := broker.Topic(t, 1)
	client := broker.Authority.Issue(t, "the client")
	for _, user := range []string{"alice", env.PlainUser, "CN=the client", "bearer"} {
		broker.Allow(t, user, "*", []kadm.ACLOperation{kadm.OpRead, kadm.OpWrite}, []kadm.ACLOperation{kadm.OpRead})
	}
	trust := map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": broker.Authority.TrustStorePEM(t)}
	address, _ := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		u, err := parseUnsecured(map[string]string{"unsecuredLoginStringClaim_sub": "bearer"})
		if err == nil {
			var tok token
			if tok, err = u.make(t.Context()); err == nil {
				fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":60}`, tok.text)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	plain := fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s";`,
		env.PlainUser, strings.ReplaceAll(env.PlainPassword, `"`, `\"`))
	scram := scramJaas("alice", `sec ret\"+`)
	endpointLogin := loginProps("SASL_SSL", "OAUTHBEARER", oauthClass+` required clientId="me" clientSecret="s";`)
	endpointLogin["sasl.oauthbearer.token.endpoint.url"] = address
	endpointLogin["sasl.login.callback.handler.class"] = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
	for _, c := range []struct {
		name, bootstrap string
		props           map[string]string
	}{
		{"SASL_SSL PLAIN", broker.SASL, loginProps("SASL_SSL", "PLAIN", plain)},
		{"SASL_SSL SCRAM-SHA-256", broker.SASL, loginProps("SASL_SSL", "SCRAM-SHA-256", scram)},
		{"SASL_SSL SCRAM-SHA-512", broker.SASL, loginProps("SASL_SSL", "SCRAM-SHA-512", scram)},
		{"SASL_PLAINTEXT SCRAM-SHA-512", broker.PlainSASL, loginProps("SASL_PLAINTEXT", "SCRAM-SHA-512", scram)},
		{"SASL_SSL OAUTHBEARER unsecured", broker.SASL, loginProps("SASL_SSL", "OAUTHBEARER", oauthClass+` required unsecuredLoginStringClaim_sub="bearer";`)},
		{"SASL_SSL OAUTHBEARER token endpoint", broker.SASL, endpointLogin},
		{"SSL with a PEM key store", broker.MTLS, map[string]string{"security.protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.location": client.KeyStorePEM(t)}},
		{"SSL with a PKCS12 key store and TLS 1.2", broker.MTLS, map[string]string{
			"security.protocol": "SSL", "ssl.keystore.type": "PKCS12", "ssl.keystore.location": client.KeyStorePKCS12(t, "pw"), "ssl.keystore.password": "pw",
			"ssl.enabled.protocols": "TLSv1.2", "ssl.cipher.suites": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		}},
		{"SSL with a JKS key store", broker.MTLS, map[string]string{
			"security.protocol": "SSL", "ssl.keystore.location": client.KeyStoreJKS(t, "pw", "pw2"), "ssl.keystore.password": "pw", "ssl.key.password": "pw2",
			"send.buffer.bytes": "131072", "receive.buffer.bytes": "65536",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, trip(t, c.bootstrap, topic, env.Name(t), trust, c.props))
		})
	}

	stranger := pki.NewAuthority(t, "stranger")
	for _, c := range []struct {
		name, bootstrap string
		props           map[string]string
		want            []string
	}{
		{"wrong password", broker.SASL, loginProps("SASL_SSL", "SCRAM-SHA-512", scramJaas("alice", "hush-hush")), []string{"SASL_AUTHENTICATION_FAILED", "sasl.jaas.config"}},
		{"no certificate", broker.MTLS, map[string]string{"security.protocol": "SSL"}, []string{"refuses this client's certificate"}},
		{"certificate of a stranger", broker.MTLS, map[string]string{"security.protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.keystore.location": stranger.Issue(t, "x").KeyStorePEM(t)}, []string{"refuses this client's certificate"}},
		{"untrusted broker", broker.MTLS, map[string]string{"security.protocol": "SSL", "ssl.truststore.location": stranger.TrustStorePEM(t)}, []string{"unknown authority", "ssl.truststore.location"}},
		{"plaintext to a TLS port", broker.MTLS, map[string]string{"security.protocol": "PLAINTEXT"}, []string{"set security.protocol to SSL or SASL_SSL"}},
		{"TLS to a plaintext port", broker.Bootstrap, map[string]string{"security.protocol": "SSL"}, []string{"security.protocol"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			err := trip(t, c.bootstrap, topic, env.Name(t), trust, c.props)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "hush-hush") // I-9
			t.Logf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
		})
	}
}

func TestRealKafkaThatDeniesSaysWhichRightIsMissing(t *testing.T) {
	broker := env.SecureKafka(t)
	broker.ScramUser(t, "alice", "secret")
	props := []map[string]string{
		{"ssl.truststore.type": "PEM", "ssl.truststore.location": broker.Authority.TrustStorePEM(t)},
		loginProps("SASL_SSL", "SCRAM-SHA-512", scramJaas("alice", "secret")),
	}
	topic, group := broker.Topic(t, 1), env.Name(t)

	err := trip(t, broker.SASL, topic, group, props...)
	require.ErrorIs(t, err, ErrNotAuthorised)
	require.ErrorContains(t, err, "grant this client's principal WRITE on topic "+topic)
	require.False(t, IsRetriable(err))

	broker.Allow(t, "alice", topic, []kadm.ACLOperation{kadm.OpWrite}, nil)
	err = trip(t, broker.SASL, topic, group, props...)
	require.ErrorContains(t, err, "grant this client's principal READ on group "+group)

	broker.Allow(t, "alice", group, nil, []kadm.ACLOperation{kadm.OpRead})
	err = trip(t, broker.SASL, topic, group, props...)
	require.ErrorContains(t, err, "grant this client's principal READ on topic "+topic)

	broker.Allow(t, "alice", topic, []kadm.ACLOperation{kadm.OpRead}, nil)
	require.NoError(t, trip(t, broker.SASL, topic, group, props...))

	admin, err := NewAdmin(secured(t, AdminClient, broker.SASL, props...))
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	err = admin.CreateTopic(within(t), NewTopic{Name: topic + "-new", Partitions: 1, ReplicationFactor: 1})
	require.ErrorContains(t, err, "grant this client's principal CREATE on topic "+topic+"-new")
	err = admin.DeleteGroup(within(t), group)
	require.ErrorContains(t, err, "grant this client's principal DELETE on group "+group)
}
