package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/crypto/bcrypt"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// buildHolder builds the plugin "holder" into a folder of its own.
func buildHolder(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	harness.BuildPlugin(t, folder, "./test/cluster/testdata/holder")
	return folder
}

// ask makes a request as another worker would. headers are pairs.
func ask(t *testing.T, w *harness.Worker, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, w.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Close = true
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// sessionKey is the key that the leader has published last.
func sessionKey(t *testing.T, broker *env.Broker, topic string) store.SessionKey {
	t.Helper()
	var key *store.SessionKey
	harness.Eventually(t, limit, "the leader has published a session key", func() (bool, string) {
		for _, r := range broker.Records(t, topic) {
			var value struct {
				Key       []byte
				Algorithm string
			}
			if string(r.Key) == "session-key" && json.Unmarshal(r.Value, &value) == nil {
				key = &store.SessionKey{Key: value.Key, Algorithm: value.Algorithm}
			}
		}
		return key != nil, ""
	})
	return *key
}

// Before a new set of tasks writes exactly once, the leader fences the producers of the set before it, and notes it in the
// config topic (KIP-618, reference section 5.8). Only workers may ask for it: they sign (KIP-507).
func TestTheLeaderFencesTheProducersOfAnOlderSetOfTasks(t *testing.T) {
	broker, group := env.Kafka(t), env.Name(t)
	w := harness.StartCluster(t, 1, harness.Config{Bootstrap: broker.Bootstrap, Group: group, PluginPath: buildHolder(t)})[0]
	config := map[string]string{"connector.class": "holder", "tasks.max": "2", "dir": t.TempDir()}
	w.CreateOnly("c", config)
	w.AwaitRunningOn(limit, 2, []string{"c"}, w)

	const path = "/connectors/c/fence"
	key := sessionKey(t, broker, group+"-configs")
	signature, err := cluster.Sign(key, "HmacSHA256", nil)
	require.NoError(t, err)
	signed := []string{cluster.HeaderSignature, signature, cluster.HeaderSignatureAlgorithm, "HmacSHA256"}
	other, err := cluster.Sign(store.SessionKey{Key: []byte("another key that nobody knows"), Algorithm: "HmacSHA256"}, "HmacSHA256", nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		text    string
	}{
		"not signed":           {path, nil, 400, "missing required signature"},
		"no algorithm":         {path, signed[:2], 400, "missing required signature"},
		"an unknown algorithm": {path, []string{signed[0], signed[1], signed[2], "HmacMagic"}, 400, "HmacMagic"},
		"one that nobody uses": {path, []string{signed[0], signed[1], signed[2], "HmacSHA512"}, 400, "HmacSHA512"},
		"signed by a stranger": {path, []string{signed[0], other, signed[2], signed[3]}, 403, "invalid signature"},
		"no such connector":    {"/connectors/nobody/fence", signed, 404, "nobody"},
	} {
		status, text := ask(t, w, "PUT", c.path, "", c.headers...)
		require.Equal(t, c.status, status, "%s: %s", name, text)
		require.Contains(t, text, c.text, name)
	}
	require.Empty(t, fencings(t, broker, group))

	fence := func() {
		t.Helper()
		status, text := ask(t, w, "PUT", path, "", signed...)
		require.Equal(t, 204, status, text)
	}
	fence()
	require.Equal(t, []string{`{"task-count":2}`}, fencings(t, broker, group), "the first set has nobody to fence")
	fence()
	require.Len(t, fencings(t, broker, group), 1, "once for a set of tasks")

	old := broker.Client(t, kgo.TransactionalID(group+"-c-1"))
	topic := broker.Topic(t, 1)
	require.NoError(t, inTransaction(t, old, topic))
	config["tasks.max"] = "3"
	status, text := w.REST("PUT", "/connectors/c/config", config)
	require.Equal(t, 200, status, text)
	w.AwaitRunningOn(limit, 3, []string{"c"}, w)
	require.NoError(t, inTransaction(t, old, topic), "not fenced yet")
	fence()
	require.Equal(t, []string{`{"task-count":2}`, `{"task-count":3}`}, fencings(t, broker, group))
	require.Error(t, inTransaction(t, old, topic), "a producer of the older set still writes")
}

// fencings are the records that say for how many tasks producers were fenced.
func fencings(t *testing.T, broker *env.Broker, group string) (values []string) {
	t.Helper()
	for _, r := range broker.Records(t, group+"-configs") {
		if string(r.Key) == "tasks-fencing-c" {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func inTransaction(t *testing.T, client *kgo.Client, topic string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
		return err
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// One worker with connect.protocol=compatible makes a group one that does not sign. That must not open the internal requests of
// a worker that asks for a login.
func TestAnUnsignedGroupIsNoWayAroundTheLogin(t *testing.T) {
	dir, group, bootstrap := t.TempDir(), env.Name(t), env.Kafka(t).Bootstrap
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	require.NoError(t, err)
	users := filepath.Join(dir, "users")
	require.NoError(t, os.WriteFile(users, []byte("admin:"+string(hash)+"\n"), 0o600))
	login := map[string]string{"rest.auth.users.file": users}
	plugins := buildHolder(t)
	secured := harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group, PluginPath: plugins, Props: login})
	const user = "Basic YWRtaW46c2VjcmV0" // admin:secret
	config, err := json.Marshal(map[string]string{"connector.class": "holder", "tasks.max": "1", "dir": t.TempDir()})
	require.NoError(t, err)
	harness.Eventually(t, limit, "the connector is there", func() (bool, string) {
		status, text := ask(t, secured, "PUT", "/connectors/c/config", string(config), "Authorization", user)
		return status == 201 || status == 200, text
	})
	await := func(want int, text string, headers ...string) {
		t.Helper()
		harness.Eventually(t, limit, "the answer is "+http.StatusText(want), func() (bool, string) {
			status, answer := ask(t, secured, "PUT", "/connectors/c/fence", "", headers...)
			return status == want && strings.Contains(answer, text), answer
		})
	}
	await(400, "missing required signature")

	harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group, PluginPath: plugins, Props: map[string]string{"connect.protocol": "compatible"}})
	await(403, "connect.protocol=sessioned")
	await(403, "connect.protocol=sessioned", cluster.HeaderSignature, "bWFkZSB1cA==", cluster.HeaderSignatureAlgorithm, "HmacSHA256")
	status, text := ask(t, secured, "POST", "/connectors/c/tasks", `[{"dir":"/etc","task":"x"}]`)
	require.Equal(t, 403, status, text)
	status, text = ask(t, secured, "PUT", "/connectors/c/fence", "", "Authorization", "Basic YWRtaW46d3Jvbmc=")
	require.Equal(t, 401, status, text)
	await(204, "", "Authorization", user)
}
