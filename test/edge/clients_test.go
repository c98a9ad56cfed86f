package edge

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-kafka/connect"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func fileSource(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "topic": env.Name(t), "file": harness.WriteLines(t, 10)}
}

// The Go client github.com/go-kafka/connect, as it was published, manages a connector from its creation to its end.
func TestAGoClientOfKafkaConnectWorks(t *testing.T) {
	w := harness.Start(t, harness.Config{Bootstrap: broker(t)})
	client := connect.NewClient(w.URL())
	config := fileSource(t)
	made := &connect.Connector{Name: "lines", Config: config}
	_, err := client.CreateConnector(made)
	require.NoError(t, err)
	require.Equal(t, "lines", made.Config["name"])
	_, err = client.CreateConnector(&connect.Connector{Name: "lines", Config: config})
	var refused connect.APIError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 409, refused.Code)
	require.Equal(t, "Connector lines already exists", refused.Message)

	names, _, err := client.ListConnectors()
	require.NoError(t, err)
	require.Equal(t, []string{"lines"}, names)
	harness.Eventually(t, time.Minute, "RUNNING with one task", func() (bool, string) {
		status, _, err := client.GetConnectorStatus("lines")
		return err == nil && status.Connector.State == "RUNNING" && len(status.Tasks) == 1 && status.Tasks[0].State == "RUNNING", ""
	})
	got, _, err := client.GetConnector("lines")
	require.NoError(t, err)
	require.Equal(t, config["topic"], got.Config["topic"])
	require.Equal(t, []connect.TaskID{{ConnectorName: "lines", ID: 0}}, got.Tasks)
	tasks, _, err := client.GetConnectorTasks("lines")
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	kept, _, err := client.GetConnectorConfig("lines")
	require.NoError(t, err)
	kept["tasks.max"] = "2"
	updated, _, err := client.UpdateConnectorConfig("lines", kept)
	require.NoError(t, err)
	require.Equal(t, "2", updated.Config["tasks.max"])
	_, err = client.PauseConnector("lines")
	require.NoError(t, err)
	harness.Eventually(t, time.Minute, "PAUSED", func() (bool, string) {
		status, _, err := client.GetConnectorStatus("lines")
		return err == nil && status.Connector.State == "PAUSED", ""
	})
	_, err = client.ResumeConnector("lines")
	require.NoError(t, err)
	_, err = client.RestartConnector("lines")
	require.NoError(t, err)
	_, err = client.DeleteConnector("lines")
	require.NoError(t, err)
	_, _, err = client.GetConnector("lines")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 404, refused.Code)
}

// Two Python clients, kafkaconnect and kafka-connect-api, as they were published, do the same; the second one logs in with a password.
func TestPythonClientsOfKafkaConnectWork(t *testing.T) {
	python := env.Python(t, "kafkaconnect==1.3.1", "kafka-connect-api==0.5.10", "requests==2.32.3")
	users := filepath.Join(t.TempDir(), "users")
	hash, err := bcrypt.GenerateFromPassword([]byte("wonderland"), bcrypt.MinCost)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(users, append([]byte("alice:"), hash...), 0o600))
	for script, props := range map[string]map[string]string{"kafkaconnect_client.py": nil, "kafka_connect_api_client.py": {"rest.auth.users.file": users}} {
		t.Run(script, func(t *testing.T) {
			w := harness.Start(t, harness.Config{Bootstrap: broker(t), Props: props})
			u, err := url.Parse(w.URL())
			require.NoError(t, err)
			c := fileSource(t)
			out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", script), u.Hostname(), u.Port(), c["topic"], c["file"]).CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
