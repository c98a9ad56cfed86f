package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

const scramModule = "org.apache.kafka.common.security.scram.ScramLoginModule"

// A pipeline on a broker with SASL_SSL, certificates and access rights, its secrets in files that only the worker's
// properties and the connectors' references name.
func TestAPipelineRunsOnASecuredBrokerAndSaysWhichRightIsMissing(t *testing.T) {
	broker := env.SecureKafka(t)
	passwords := map[string]string{"worker": "w0rker-pass", "alice": "al1ce-pass", "store": "st0re-pass"}
	for _, user := range []string{"worker", "alice"} {
		broker.ScramUser(t, user, passwords[user])
	}
	client := broker.Authority.Issue(t, "mtls-user")
	vault := t.TempDir()
	secrets := filepath.Join(vault, "secrets.properties")
	text := fmt.Sprintf("worker.jaas=%s required username=\"worker\" password=\"%s\";\nalice.password=%s\nstore=%s\n", scramModule, passwords["worker"], passwords["alice"], passwords["store"])
	require.NoError(t, os.WriteFile(secrets, []byte(text), 0o600))
	t.Setenv("TAILRACE_E2E_STORE_PASSWORD", passwords["store"])

	trust := map[string]string{
		"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": "${file:" + secrets + ":worker.jaas}",
		"ssl.truststore.location": broker.Authority.TrustStoreJKS(t, passwords["store"]), "ssl.truststore.password": "${env:TAILRACE_E2E_STORE_PASSWORD}",
	}
	props := map[string]string{
		"config.providers":            "file,env",
		"config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider", "config.providers.file.param.allowed.paths": vault,
		"config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider", "config.providers.env.param.allowlist.pattern": "TAILRACE_E2E_.*",
		"connector.client.config.override.policy": "All",
	}
	for _, prefix := range []string{"", "producer.", "consumer.", "admin."} {
		for k, v := range trust {
			props[prefix+k] = v
		}
	}
	w := harness.Start(t, harness.Config{Bootstrap: broker.SASL, Props: props})

	// Alice may do nothing at first. Her password is in a file, her name in the connector.
	alice := map[string]string{}
	for _, kind := range []string{"producer", "consumer", "admin"} {
		alice[kind+".override.sasl.jaas.config"] = scramModule + ` required username="alice" password="${file:` + secrets + `:alice.password}";`
	}
	source := maps.Clone(alice)
	maps.Copy(source, map[string]string{
		"connector.class": harness.SourceClass, "topic": env.Name(t), "file": harness.WriteLines(t, 2000), "tasks.max": "1",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	})
	w.CreateOnly("source", source)
	w.FailsWith("source", "WRITE on topic "+source["topic"])
	require.Contains(t, w.Log(), "grant this client's principal CREATE on topic "+source["topic"])
	topic := broker.TopicNamed(t, source["topic"])
	broker.Allow(t, "alice", topic, []kadm.ACLOperation{kadm.OpDescribe}, nil)
	restart(t, w, "source")
	w.FailsWith("source", "WRITE on topic "+topic)
	broker.Allow(t, "alice", topic, []kadm.ACLOperation{kadm.OpWrite}, nil)
	restart(t, w, "source")
	w.AwaitState("source", "RUNNING", 1)

	// The sink is another user, by certificate and over the other listener.
	output := filepath.Join(t.TempDir(), "output.txt")
	sink := map[string]string{
		"connector.class": harness.SinkClass, "topics": topic, "file": output, "tasks.max": "1",
		"consumer.override.bootstrap.servers": broker.MTLS, "consumer.override.security.protocol": "SSL",
		"consumer.override.ssl.keystore.type": "PKCS12", "consumer.override.ssl.keystore.location": client.KeyStorePKCS12(t, passwords["store"]),
		"consumer.override.ssl.keystore.password": "${file:" + secrets + ":store}",
	}
	w.CreateOnly("sink", sink)
	w.FailsWith("sink", "grant this client's principal READ on ") // topic or group, whichever the broker refuses first
	broker.Allow(t, "CN=mtls-user", topic, []kadm.ACLOperation{kadm.OpRead}, nil)
	restart(t, w, "sink")
	w.FailsWith("sink", "READ on group connect-sink")
	broker.Allow(t, "CN=mtls-user", "connect-", nil, []kadm.ACLOperation{kadm.OpRead})
	restart(t, w, "sink")
	p := &harness.Pipeline{Worker: w, Topic: topic, Input: source["file"], Output: output, Lines: 2000}
	p.AwaitLines(2000, 30*time.Second)
	p.Equal()

	// A wrong password fails the task at once, and says where to look.
	wrong := maps.Clone(source)
	wrong["producer.override.sasl.jaas.config"] = scramModule + ` required username="alice" password="wr0ng-pass";`
	w.CreateOnly("wrong", wrong)
	w.FailsWith("wrong", "check sasl.mechanism, and the user and password")
	code, body := w.REST("PUT", "/connector-plugins/FileStreamSource/config/validate", wrong)
	require.Equal(t, 200, code, body)

	// I-9: no answer and no log line holds a secret.
	answers := body
	for _, path := range []string{"/connectors?expand=info&expand=status", "/connectors/source", "/connectors/source/config", "/connectors/source/tasks", "/connectors/sink/status", "/connectors/wrong/status"} {
		_, body := w.REST("GET", path, nil)
		answers += body
	}
	require.Contains(t, answers, "${file:"+secrets+":alice.password}", "a reference is shown as it was written")
	for _, text := range []string{answers, w.Log()} {
		for _, secret := range passwords {
			require.NotContains(t, text, secret)
		}
	}
	require.NotContains(t, w.Log(), "wr0ng-pass")
}

func restart(t *testing.T, w *harness.Worker, name string) {
	t.Helper()
	code, body := w.REST("POST", "/connectors/"+name+"/restart?includeTasks=true", nil)
	require.Equal(t, 202, code, body)
}

// The policy decides which settings a connector may override, and an answer names the one that it may not.
func TestTheOverridePolicyDecides(t *testing.T) {
	broker := env.Kafka(t)
	for policy, want := range map[string]map[string]bool{
		"None":      {"producer.override.sasl.mechanism": false, "producer.override.linger.ms": false},
		"Principal": {"producer.override.sasl.mechanism": true, "producer.override.linger.ms": false},
		"Allowlist": {"producer.override.sasl.mechanism": false, "producer.override.linger.ms": true},
	} {
		t.Run(policy, func(t *testing.T) {
			w := harness.Start(t, harness.Config{Bootstrap: broker.Bootstrap, Props: map[string]string{
				"connector.client.config.override.policy":    policy,
				"connector.client.config.override.allowlist": "linger.ms",
			}})
			for key, allowed := range want {
				code, body := w.REST("POST", "/connectors", map[string]any{"name": "c", "config": map[string]string{
					"connector.class": harness.SourceClass, "topic": env.Name(t), "file": harness.WriteLines(t, 1), key: map[bool]string{true: "5", false: "PLAIN"}[strings.HasSuffix(key, "ms")],
				}})
				if allowed {
					require.Equal(t, 201, code, body)
					code, body = w.REST("DELETE", "/connectors/c", nil)
					require.Equal(t, 204, code, body)
					continue
				}
				require.Equal(t, 400, code, body)
				require.Contains(t, body, "The '"+policy+"' policy does not allow '"+strings.TrimPrefix(key, "producer.override.")+"' to be overridden in the connector configuration")
			}
		})
	}
}
