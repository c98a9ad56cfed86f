package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
)

func TestAConfigurationForConfluentsConnectorIsTaken(t *testing.T) {
	_, err := parse(connect.Config{
		"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "topics": "a", "tasks.max": "1",
		"connection.url": "http://a:9200,http://b:9200", "type.name": "_doc", "key.ignore": "true", "schema.ignore": "true",
		"behavior.on.null.values": "ignore", "behavior.on.malformed.documents": "warn", "write.method": "insert",
		"elastic.security.protocol": "PLAINTEXT", "flush.synchronously": "true", "max.buffered.records": "50000",
		"connection.username": "u", "connection.password": "p", "external.resource.usage": "DISABLED",
	})
	require.NoError(t, err)
}

func TestAConfigurationForAivensConnectorIsTaken(t *testing.T) {
	c, err := parse(connect.Config{
		"connector.class": "io.aiven.kafka.connect.opensearch.OpenSearchSinkConnector", "topics": "a", "tasks.max": "1",
		"connection.url": "https://a:9200", "connection.username": "u", "connection.password": "p", "max.retries": "7",
		"connection.ssl.truststore.location": "/ca.pem", "connection.ssl.truststore.type": "PEM",
		"index.write.method": "upsert", "bulk.max.size": "5", "bulk.max.operations.size": "-1", "bulk.max.concurrent.requests": "3",
		"key.ignore": "true", "key.ignore.id.strategy": "record.key", "schema.ignore": "true", "behavior.on.malformed.documents": "report",
		"behavior.on.version.conflict": "ignore", "behavior.on.null.values": "delete", "routing.type": "value", "routing.type.record.value.path": "/customer/id",
		"data.stream.timestamp.field": "@timestamp",
	})
	require.NoError(t, err)
	require.Equal(t, "UPSERT", c.WriteMethod)
	require.Equal(t, int64(5<<20), c.BulkBytes)
	require.Equal(t, int32(1_000_000), c.BatchSize)
	require.Equal(t, int32(3), c.InFlight)
	require.False(t, c.KeyIgnore)
	require.Equal(t, "WARN", c.OnMalformed)
	require.True(t, c.Routing)
	require.Equal(t, "customer.id", c.RoutingField)
	require.Equal(t, "/ca.pem", c.CAFile)

	c, err = parse(connect.Config{"connection.url": "http://a:9200", "data.stream.enabled": "true", "data.stream.prefix": "logs", "key.ignore": "true"})
	require.NoError(t, err)
	targets, err := newTargets(c)
	require.NoError(t, err)
	to, err := targets.of("Orders", 0)
	require.NoError(t, err)
	require.Equal(t, "logs-orders", to.name)
}

func TestWhatCannotBeHonouredIsRefused(t *testing.T) {
	for want, change := range map[string]connect.Config{
		"look like http://host:9200":         {"connection.url": "localhost:9200"},
		"not into the address":               {"connection.url": "http://u:p@a:9200"},
		"SSL needs https":                    {"elastic.security.protocol": "SSL"},
		"must be set together":               {"connection.username": "u"},
		"use either":                         {"connection.username": "u", "connection.password": "p", "connection.api.key": "k"},
		"PEM is the only type":               {"elastic.https.ssl.truststore.type": "JKS"},
		"only ${topic} and ${timestamp}":     {"index.name.format": "${record}"},
		"is none of yyyy":                    {"index.name.timestamp.format": "EEE"},
		"without routing.enabled":            {"routing.field.path": "a"},
		"only be deleted by their key":       {"behavior.on.null.values": "delete", "key.ignore": "true"},
		"only be changed by their key":       {"write.method": "upsert", "key.ignore": "true"},
		"needs a dataset":                    {"data.stream.type": "logs"},
		"needs the name of the type":         {"data.stream.type": "custom", "data.stream.dataset": "d"},
		"Kerberos is not supported":          {"kerberos.user.principal": "x"},
		"always the record's offset":         {"external.version.header": "v"},
		"must be one of INSERT, UPSERT":      {"write.method": "replace"},
		"a second document":                  {"key.ignore.id.strategy": "none"},
		"only ignore":                        {"behavior.on.version.conflict": "report"},
		"connection.ssl.truststore.location": {"connection.trust.all.certificates": "true"},
		"make the template before":           {"data.streams.existing.index.template.name": "t"},
		"1 to 100, or -1":                    {"bulk.max.size": "5000000"},
		"/customer/id":                       {"routing.type": "value"},
		"one of none, key, value":            {"routing.type": "header"},
		"use either data.stream.type":        {"data.stream.enabled": "true", "data.stream.type": "logs", "data.stream.dataset": "d"},
		"ReplaceField transform":             {"data.stream.timestamp.field": "ts"},
		"must be one of IGNORE, WARN, FAIL":  {"behavior.on.malformed.documents": "drop"},
	} {
		cfg := connect.Config{"connection.url": "http://a:9200"}
		for k, v := range change {
			cfg[k] = v
		}
		_, err := parse(cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "u:p@")
	}
}

func TestNoSecretIsShown(t *testing.T) {
	secret := map[string]bool{}
	for _, k := range definition().Keys() {
		if k.Type == connect.TypePassword {
			secret[k.Name] = true
		}
	}
	for _, key := range []string{"connection.password", "connection.api.key", "proxy.password", "elastic.https.ssl.key.password", "connection.ssl.keystore.password"} {
		require.True(t, secret[key], key)
	}
}
