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

func TestWhatCannotBeHonouredIsRefused(t *testing.T) {
	for want, change := range map[string]connect.Config{
		"look like http://host:9200":        {"connection.url": "localhost:9200"},
		"not into the address":              {"connection.url": "http://u:p@a:9200"},
		"SSL needs https":                   {"elastic.security.protocol": "SSL"},
		"must be set together":              {"connection.username": "u"},
		"use either":                        {"connection.username": "u", "connection.password": "p", "connection.api.key": "k"},
		"PEM is the only type":              {"elastic.https.ssl.truststore.type": "JKS"},
		"only ${topic} and ${timestamp}":    {"index.name.format": "${record}"},
		"is none of yyyy":                   {"index.name.timestamp.format": "EEE"},
		"without routing.enabled":           {"routing.field.path": "a"},
		"only be deleted by their key":      {"behavior.on.null.values": "delete", "key.ignore": "true"},
		"only be changed by their key":      {"write.method": "upsert", "key.ignore": "true"},
		"needs a dataset":                   {"data.stream.type": "logs"},
		"needs the name of the type":        {"data.stream.type": "custom", "data.stream.dataset": "d"},
		"Kerberos is not supported":         {"kerberos.user.principal": "x"},
		"always the record's offset":        {"external.version.header": "v"},
		"must be one of INSERT, UPSERT":     {"write.method": "replace"},
		"ReplaceField transform":            {"data.stream.timestamp.field": "ts"},
		"must be one of IGNORE, WARN, FAIL": {"behavior.on.malformed.documents": "drop"},
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
	for _, key := range []string{"connection.password", "connection.api.key", "proxy.password", "elastic.https.ssl.key.password"} {
		require.True(t, secret[key], key)
	}
}
