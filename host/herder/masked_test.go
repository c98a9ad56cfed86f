package herder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
)

// I-9: who may not change a connector sees no secret of it, and sees where secrets come from.
func TestMaskedSettingsHideSecretsAndKeepReferences(t *testing.T) {
	s, _ := newHerder(t)
	require.Equal(t, map[string]string{
		"connector.class": "scripted", "topics": "orders", "db.password": config.Hidden, "other.password": "${env:SECRET}", "url": "http://x:" + config.Hidden + "@y",
		"producer.override.sasl.jaas.config": config.Hidden, "transforms.a.api.key": config.Hidden, "key": "k",
	}, s.Masked(map[string]string{
		"connector.class": "scripted", "topics": "orders", "db.password": "hunter2", "other.password": "${env:SECRET}", "url": "http://x:hunter2@y",
		"producer.override.sasl.jaas.config": "x required password=\"p\";", "transforms.a.api.key": "abc", "key": "k",
	}))
	require.Equal(t, map[string]string{"password": config.Hidden, "connector.class": "no.such"}, s.Masked(map[string]string{"password": "x", "connector.class": "no.such"}))
}
