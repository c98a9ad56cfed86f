package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func standaloneProps(more map[string]string) map[string]string {
	props := map[string]string{
		"bootstrap.servers": "localhost:9092", "key.converter": "K", "value.converter": "V",
		"value.converter.schemas.enable": "false", "offset.storage.file.filename": "/tmp/offsets",
	}
	for k, v := range more {
		props[k] = v
		if v == "-" {
			delete(props, k)
		}
	}
	return props
}

func testWorker(t *testing.T, more map[string]string) *Worker {
	t.Helper()
	w, _, err := ParseWorker(Standalone, standaloneProps(more))
	require.NoError(t, err)
	return w
}

func TestStandaloneWorkerIsParsed(t *testing.T) {
	w := testWorker(t, map[string]string{
		"plugin.path": "/a, /b/../c", "listeners": "HTTP://:0,https://[::1]:8443", "admin.listeners": "",
		"offset.flush.interval.ms": "2500", "response.http.headers.config": `add X-A: b, "set X-B: c,d"`,
		"access.control.allow.methods": "GET, PUT", "ssl.keystore.location": "/top", "listeners.https.ssl.truststore.location": "/own",
	})
	require.Equal(t, []string{"localhost:9092"}, w.BootstrapServers)
	require.Equal(t, []string{"/a", "/c"}, w.PluginPath)
	require.Equal(t, Converter{Role: ValueRole, Class: "V", Config: map[string]string{"schemas.enable": "false", "converter.type": "value"}, FromWorker: true}, w.ValueConverter)
	require.Equal(t, "org.apache.kafka.connect.storage.SimpleHeaderConverter", w.HeaderConverter.Class)
	require.Equal(t, 2500*time.Millisecond, w.OffsetFlushInterval)
	require.Equal(t, 5*time.Second, w.TaskShutdownTimeout)
	require.Equal(t, []Listener{{"http", "", 0}, {"https", "::1", 8443}}, w.REST.Listeners)
	require.Equal(t, "[::1]:8443", w.REST.Listeners[1].Address())
	require.NotNil(t, w.REST.AdminListeners)
	require.Empty(t, w.REST.AdminListeners)
	require.Equal(t, []HeaderRule{{"add", "X-A", "b"}, {"set", "X-B", "c,d"}}, w.REST.ResponseHeaders)
	require.Equal(t, []string{"GET", "PUT"}, w.REST.AllowMethods)
	require.Equal(t, "/own", w.REST.TLS["ssl.truststore.location"])
	require.NotContains(t, w.REST.TLS, "ssl.keystore.location", "listeners.https.ssl replaces ssl as a whole")
	require.Equal(t, "/top", w.REST.AdminTLS["ssl.keystore.location"])
	require.Nil(t, w.Cluster)
	require.Nil(t, testWorker(t, nil).REST.AdminListeners)
}

func TestDistributedWorkerIsParsed(t *testing.T) {
	w := goldenWorker(t, true)
	require.True(t, w.ExactlyOnceSourceEnabled())
	require.Equal(t, InternalTopic{"golden-offsets", 25, 3, map[string]string{}}, w.Cluster.OffsetTopic)
	require.Equal(t, int32(1), w.Cluster.ConfigTopic.Partitions)
}

func TestDevWorkerNeedsNothing(t *testing.T) {
	w, warnings, err := ParseWorker(Dev, nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "false", w.ValueConverter.Config["schemas.enable"])
	w, _, err = ParseWorker(Dev, map[string]string{"value.converter": "JsonConverter"})
	require.NoError(t, err)
	require.NotContains(t, w.ValueConverter.Config, "schemas.enable")
}

func TestBadWorkerSettingsNameTheirKey(t *testing.T) {
	for _, c := range []struct{ key, value, err string }{
		{"key.converter", "-", `Missing required configuration "key.converter" which has no default value.`},
		{"offset.storage.file.filename", "-", `Missing required configuration "offset.storage.file.filename"`},
		{"offset.storage.file.filename", " ", "for configuration offset.storage.file.filename"},
		{"bootstrap.servers", "", "for configuration bootstrap.servers: No bootstrap servers"},
		{"bootstrap.servers", "localhost", `for configuration bootstrap.servers: "localhost" is not of the form host:port`},
		{"bootstrap.servers", "a:1,b:99999", `"b:99999" needs a port between 1 and 65535`},
		{"offset.flush.interval.ms", "soon", "Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG"},
		{"offset.flush.interval.ms", "0", "for configuration offset.flush.interval.ms"},
		{"listeners", "http://:80830", "for configuration listeners:"},
		{"listeners", "localhost:8083", "must start with http:// or https://"},
		{"listeners", "", "for configuration listeners:"},
		{"rest.advertised.listener", "ftp", "String must be one of: http, https"},
		{"connector.client.config.override.policy", "com.acme.Mine", "use one of All, None, Principal, Allowlist"},
		{"response.http.headers.config", "replace X: y", "for configuration response.http.headers.config"},
		{"topic.creation.enable", "yes", "Expected value to be either true or false"},
		{"config.providers", "p", `"config.providers.p.class"`},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			_, _, err := ParseWorker(Standalone, standaloneProps(map[string]string{c.key: c.value}))
			require.ErrorContains(t, err, c.err)
		})
	}
}

func TestUnknownWorkerKeysAreExplained(t *testing.T) {
	_, warnings, err := ParseWorker(Standalone, standaloneProps(map[string]string{
		"offset.flush.intervall.ms": "1", "group.id": "g", "rest.port": "8083", "zzz": "1",
		"producer.acks": "1", "security.protocol": "SSL", "metric.reporters": "org.apache.kafka.common.metrics.JmxReporter",
	}))
	require.NoError(t, err)
	texts := map[string]string{}
	for _, w := range warnings {
		texts[w.Key] = w.Message
	}
	require.Len(t, texts, 4)
	require.Contains(t, texts["offset.flush.intervall.ms"], "did you mean offset.flush.interval.ms?")
	require.Contains(t, texts["group.id"], "no effect in a standalone worker")
	require.Contains(t, texts["rest.port"], "use listeners")
	require.NotContains(t, texts["zzz"], "did you mean")
}

func TestKeysOfFamiliesAreChecked(t *testing.T) {
	props := standaloneProps(map[string]string{
		"offset.storage.file.filename": "-", "group.id": "g", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		"offset.storage.partition": "3", "config.storage.min.insync.replicas": "2", "status.storage.cleanup.policy": "delete",
		"producer.ssl.trustore.location": "/t", "consumer.fetch.max.bytes": "1", "admin.sasl.login.class": "com.acme.Login",
		"producer.sasl.login.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
		"consumer.sasl.login.callback.handler.class": "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
		"config.providers.vault.class":               "com.acme.Vault", "ssl.provider": "BC", "sasl.kerberos.kinit.cmd": "/usr/bin/kinit",
		"client.dns.lookup": "resolve_canonical_bootstrap_servers_only", "metadata.recovery.strategy": "NONE",
	})
	_, warnings, err := ParseWorker(Distributed, props)
	require.NoError(t, err)
	texts := map[string]string{}
	for _, w := range warnings {
		texts[w.Key] = w.Message
	}
	for key, want := range map[string]string{
		"offset.storage.partition":                   "did you mean offset.storage.partitions?",
		"status.storage.cleanup.policy":              "internal topics are always compacted",
		"producer.ssl.trustore.location":             "is not a known setting of a Kafka producer and has no effect; did you mean producer.ssl.truststore.location?",
		"admin.sasl.login.class":                     "login classes are Java classes",
		"consumer.sasl.login.callback.handler.class": "callback handlers are Java classes",
		"config.providers.vault.class":               "vault is not in config.providers",
		"ssl.provider":                               "Go's TLS is used",
		"client.dns.lookup":                          "names in bootstrap.servers are used as they are",
		"metadata.recovery.strategy":                 "always goes back to bootstrap.servers",
	} {
		require.Contains(t, texts[key], want, key)
		delete(texts, key)
	}
	require.Empty(t, texts)
}

// Every key of Kafka Connect with its own default is taken without a word.
func TestDefaultsOfKafkaConnectRaiseNoWarning(t *testing.T) {
	for mode, def := range map[Mode]*Def{Standalone: StandaloneWorkerDef(), Distributed: DistributedWorkerDef()} {
		props := map[string]string{
			"key.converter": "K", "value.converter": "V", "offset.storage.file.filename": "/tmp/o",
			"group.id": "g", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		}
		for _, k := range def.Keys() {
			if text, ok := k.Default.Text(); ok && props[k.Name] == "" {
				props[k.Name] = text
			}
		}
		for key := range props {
			if def.Key(key) == nil {
				delete(props, key)
			}
		}
		_, warnings, err := ParseWorker(mode, props)
		require.NoError(t, err, mode)
		require.Empty(t, warnings, mode)
	}
}

func TestWorkerErrorsHoldNoSecrets(t *testing.T) {
	t.Setenv("CFGTEST_PORT", "hush-hush")
	_, _, err := ParseWorker(Standalone, standaloneProps(map[string]string{
		"config.providers": "env", "config.providers.env.class": "EnvVarConfigProvider", "offset.flush.interval.ms": "${env:CFGTEST_PORT}",
	}))
	require.ErrorContains(t, err, "Invalid value [hidden] for configuration offset.flush.interval.ms") // I-9
}

func TestVersionRanges(t *testing.T) {
	for _, c := range []struct {
		text    string
		in, out []string
	}{
		{"latest", []string{"0", "9.9"}, nil},
		{"1.2", []string{"1.2", "1.2.0"}, []string{"1.2.1", "1.1"}},
		{"[1.0,2.0)", []string{"1.0", "1.9.9"}, []string{"2.0", "0.9", "1.0-rc1"}},
		{"(,1.5]", []string{"0.1", "1.5"}, []string{"1.5.1"}},
		{"(1.0,)", []string{"1.0.1", "10"}, []string{"1.0"}},
		{"[1.0,1.1],[2.0,)", []string{"1.1", "2.5"}, []string{"1.5"}},
	} {
		r, err := ParseVersionRange(c.text)
		require.NoError(t, err)
		for _, v := range c.in {
			require.True(t, r.Contains(v), "%s %s", c.text, v)
		}
		for _, v := range c.out {
			require.False(t, r.Contains(v), "%s %s", c.text, v)
		}
	}
	for _, bad := range []string{"[[", "[1.0", "(1.0)", "[2.0,1.0]", "1.0]"} {
		_, err := ParseVersionRange(bad)
		require.Error(t, err, bad)
	}
}

func TestByteSizes(t *testing.T) {
	for text, want := range map[string]int64{"1024": 1024, "512Mi": 512 << 20, "1G": 1e9, "1.5GiB": 3 << 29, "64k": 64000} {
		got, err := ParseByteSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "0", "-1", "lots", "1X", "9999999Ti", "NaN", "1 2"} {
		_, err := ParseByteSize(bad)
		require.Error(t, err, bad)
	}
}

func TestWorkOfAGoneWorkerWaitsOnlyWhenTheUserAsksForIt(t *testing.T) {
	props := map[string]string{
		"bootstrap.servers": "localhost:9092", "group.id": "g", "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
		"key.converter": "JsonConverter", "value.converter": "JsonConverter", "group.instance.id": "one",
	}
	w, _, err := ParseWorker(Distributed, props)
	require.NoError(t, err)
	require.Zero(t, w.Cluster.ScheduledRebalanceMaxWait)
	require.Equal(t, "one", w.Cluster.InstanceID)
	props["scheduled.rebalance.max.delay.ms"] = "300000"
	w, _, err = ParseWorker(Distributed, props)
	require.NoError(t, err)
	require.Equal(t, 5*time.Minute, w.Cluster.ScheduledRebalanceMaxWait)
}
