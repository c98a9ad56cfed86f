package env

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tailrace/tailrace/test/env/pki"
	"github.com/tailrace/tailrace/test/env/server"
)

// SecureBroker is a broker of one test with access rights. Its own address, Bootstrap, is open and its user may do
// everything; on the others nothing is allowed but what Allow grants.
type SecureBroker struct {
	PrivateBroker
	// SASL speaks SASL_SSL with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER (tokens without a signature);
	// PlainSASL is the same without TLS.
	SASL, PlainSASL string
	// MTLS speaks SSL and wants a certificate of Authority; the user is its subject, CN=….
	MTLS string
	// Authority has signed the broker's certificate, which is for localhost and 127.0.0.1.
	Authority *pki.Identity
}

// PlainUser and PlainPassword are known to PLAIN on every [SecureBroker].
const (
	PlainUser     = "plain-user"
	PlainPassword = `pl@in;"secret`
)

const oauthValidator = "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"

// SecureKafka starts a broker with TLS, SASL and access rights for this test alone.
func SecureKafka(t testing.TB) *SecureBroker {
	t.Helper()
	authority := pki.NewAuthority(t, "Test Authority")
	identity := authority.Issue(t, "broker", "localhost", "127.0.0.1")
	properties := map[string]string{
		"authorizer.class.name":              "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                        "User:ANONYMOUS",
		"allow.everyone.if.no.acl.found":     "false",
		"ssl.keystore.type":                  "PEM",
		"ssl.keystore.location":              identity.KeyStorePEM(t),
		"ssl.truststore.type":                "PEM",
		"ssl.truststore.location":            authority.TrustStorePEM(t),
		"listener.name.mtls.ssl.client.auth": "required",
		"sasl.enabled.mechanisms":            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
	}
	for _, listener := range []string{"saslssl", "saslplain"} {
		prefix := "listener.name." + listener + "."
		properties[prefix+"plain.sasl.jaas.config"] = fmt.Sprintf(
			`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="pl@in;\"secret";`, PlainUser)
		for _, mechanism := range []string{"scram-sha-256", "scram-sha-512"} {
			properties[prefix+mechanism+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
		properties[prefix+"oauthbearer.sasl.jaas.config"] = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
		properties[prefix+"oauthbearer.sasl.server.callback.handler.class"] = oauthValidator
	}
	broker, err := server.StartBroker(t.Context(), server.BrokerOptions{
		Properties: properties, Listeners: map[string]string{"SASLSSL": "SASL_SSL", "SASLPLAIN": "SASL_PLAINTEXT", "MTLS": "SSL"},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		keepLog(t, "Kafka broker", broker.Log())
		require.NoError(t, broker.Close())
	})
	return &SecureBroker{
		PrivateBroker: PrivateBroker{Broker: Broker{Bootstrap: broker.Addr()}, server: broker},
		SASL:          broker.ListenerAddr("SASLSSL"), PlainSASL: broker.ListenerAddr("SASLPLAIN"), MTLS: broker.ListenerAddr("MTLS"),
		Authority: authority,
	}
}

// ScramUser adds a user for both kinds of SCRAM.
func (b *SecureBroker) ScramUser(t testing.TB, user, password string) {
	t.Helper()
	b.admin(t, t.Context(), func(ctx context.Context, admin *kadm.Client) error {
		for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
			answers, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: mechanism, Iterations: 4096, Password: password}})
			if err != nil {
				return err
			}
			for _, a := range answers {
				if a.Err != nil {
					return a.Err
				}
			}
		}
		return nil
	})
}

// Allow grants a user, such as alice or CN=client, operations on topics and groups whose name starts with prefix, "*" for
// all. One of topics and groups may be nil.
func (b *SecureBroker) Allow(t testing.TB, user, prefix string, topics, groups []kadm.ACLOperation) {
	t.Helper()
	pattern := kadm.ACLPatternPrefixed
	if prefix == "*" {
		pattern = kadm.ACLPatternLiteral
	}
	for _, grant := range []struct {
		operations []kadm.ACLOperation
		on         func(*kadm.ACLBuilder) *kadm.ACLBuilder
	}{
		{topics, func(a *kadm.ACLBuilder) *kadm.ACLBuilder { return a.Topics(prefix) }},
		{groups, func(a *kadm.ACLBuilder) *kadm.ACLBuilder { return a.Groups(prefix) }},
	} {
		if len(grant.operations) == 0 {
			continue
		}
		acls := grant.on(kadm.NewACLs()).ResourcePatternType(pattern).Allow("User:" + user).AllowHosts("*").Operations(grant.operations...)
		b.admin(t, t.Context(), func(ctx context.Context, admin *kadm.Client) error {
			answers, err := admin.CreateACLs(ctx, acls)
			if err != nil {
				return err
			}
			for _, a := range answers {
				if a.Err != nil {
					return a.Err
				}
			}
			return nil
		})
	}
}
