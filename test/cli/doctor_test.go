package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

type finding struct{ Check, Verdict, Found, Fix string }

// A worker's file is checked with the worker's own rights, before and after they are granted.
func TestDoctorSaysWhichRightsAndTopicsAreMissing(t *testing.T) {
	broker := env.SecureKafka(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Bootstrap))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	admin := kadm.NewClient(cl)
	compact := "compact"
	_, err = admin.CreateTopic(t.Context(), 2, 1, map[string]*string{"cleanup.policy": &compact}, "doc-configs")
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "doc-status")
	require.NoError(t, err)
	u := at(t, "http://127.0.0.1:1")
	file := filepath.Join(u.dir, "worker.properties")
	write := func(more string) {
		var text strings.Builder
		for k, v := range harness.GroupProps("doc") {
			fmt.Fprintf(&text, "%s=%s\n", k, v)
		}
		fmt.Fprintf(&text, "bootstrap.servers=%s\nkey.converter=org.apache.kafka.connect.storage.StringConverter\nvalue.converter=org.apache.kafka.connect.storage.StringConverter\n"+
			"plugin.path=%s\nlisteners=http://127.0.0.1:%d\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"%s\" password=\"%s\";\n%s",
			broker.PlainSASL, filepath.Join(harness.Binaries(t), "plugins"), harness.FreePort(t), env.PlainUser, strings.ReplaceAll(env.PlainPassword, `"`, `\\"`), more)
		require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	}
	look := func(status int) map[string]finding {
		t.Helper()
		out, problem, got := u.types("doctor", "--worker", file, "-o", "json")
		require.Equal(t, status, got, "%s%s", out, problem)
		var list []finding
		require.NoError(t, json.Unmarshal([]byte(out), &list), out)
		by := map[string]finding{}
		for _, f := range list {
			by[f.Check] = f
			require.Equal(t, f.Verdict == "ok", f.Fix == "", "%v", f)
			require.NotContains(t, fmt.Sprint(f), "secret")
		}
		return by
	}
	write("")
	found := look(7)
	require.Equal(t, "ok", found["worker file"].Verdict)
	require.Equal(t, "ok", found["plugins"].Verdict)
	require.Equal(t, "ok", found["Kafka"].Verdict)
	require.Equal(t, "warning", found["advertised name"].Verdict)
	for _, topic := range []string{"doc-configs (config.storage.topic)", "doc-offsets (offset.storage.topic)", "doc-status (status.storage.topic)"} {
		require.Equal(t, "problem", found["topic "+topic].Verdict, "nothing is granted yet: %v", found)
	}
	require.Equal(t, "missing: READ", found["permissions on group doc"].Found)
	require.Contains(t, found["permissions on group doc"].Fix, "--operation READ --group doc")

	grant := func(b *kadm.ACLBuilder) {
		_, err := admin.CreateACLs(t.Context(), b.Allow("User:"+env.PlainUser).AllowHosts("*"))
		require.NoError(t, err)
	}
	grant(kadm.NewACLs().ResourcePatternType(kadm.ACLPatternPrefixed).Topics("doc-").Operations(kadm.OpRead, kadm.OpDescribe, kadm.OpCreate, kadm.OpDescribeConfigs))
	grant(kadm.NewACLs().ResourcePatternType(kadm.ACLPatternLiteral).Groups("doc").Operations(kadm.OpRead))
	harness.Eventually(t, 30e9, "the rights are known to the broker", func() (bool, string) {
		found = look(7)
		return found["permissions on group doc"].Verdict == "ok", fmt.Sprint(found)
	})
	require.Contains(t, found["topic doc-configs (config.storage.topic)"].Found, "2 partitions")
	require.Contains(t, found["topic doc-offsets (offset.storage.topic)"].Found, "will create it")
	require.Contains(t, found["topic doc-status (status.storage.topic)"].Found, "must be compact")
	require.Equal(t, "missing: WRITE", found["permissions on topic doc-configs"].Found)

	grant(kadm.NewACLs().ResourcePatternType(kadm.ACLPatternPrefixed).Topics("doc-").Operations(kadm.OpWrite))
	write("config.storage.topic=doc-c\nstatus.storage.topic=doc-s\n")
	harness.Eventually(t, 30e9, "all is well", func() (bool, string) {
		out, _, status := u.types("doctor", "--worker", file)
		return status == 0, out
	})
	exact := "config.storage.topic=doc-c\nstatus.storage.topic=doc-s\nexactly.once.source.support=enabled\n"
	write(exact)
	require.Contains(t, look(7)["permissions on transactional id doc-tailrace-doctor-0"].Fix, "producer.", "producers have settings of their own")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "security.") || strings.HasPrefix(line, "sasl.") {
			exact += "producer." + line
		}
	}
	write(exact)
	found = look(7)
	for _, id := range []string{"connect-cluster-doc", "doc-tailrace-doctor-0"} {
		require.Equal(t, "missing: WRITE", found["permissions on transactional id "+id].Found, "%v", found)
	}
	grant(kadm.NewACLs().ResourcePatternType(kadm.ACLPatternLiteral).TransactionalIDs("connect-cluster-doc").Operations(kadm.OpWrite))
	grant(kadm.NewACLs().ResourcePatternType(kadm.ACLPatternPrefixed).TransactionalIDs("doc-").Operations(kadm.OpWrite))
	harness.Eventually(t, 30e9, "all is well for exactly once", func() (bool, string) {
		out, _, status := u.types("doctor", "--worker", file)
		return status == 0, out
	})
	write("bootstrap.servers=127.0.0.1:1\n")
	require.Equal(t, "problem", look(7)["Kafka"].Verdict)
	write("plugin.path=" + u.dir + "\n")
	require.Equal(t, "problem", look(7)["plugins"].Verdict)
	u.fails(1, "doctor", "--worker", "no-such-file")
}
