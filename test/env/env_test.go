package env

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/test/env/proc"
	"github.com/tailrace/tailrace/test/env/server"
)

// orphanVariable makes the test binary play the part of a test process that is about to be killed.
const orphanVariable = "TAILRACE_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		becomeOrphanMaker()
	}
	goleak.VerifyTestMain(m)
}

// becomeOrphanMaker starts a broker, says which, and waits to be killed.
func becomeOrphanMaker() {
	broker, err := server.StartBroker(context.Background(), server.BrokerOptions{})
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(broker.PID()) + " " + filepath.Dir(broker.Log()) + "\n")
	select {}
}

func TestRecordsReadsWhatWasProduced(t *testing.T) {
	broker := Kafka(t)
	topic := broker.Topic(t, 2)
	client := broker.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 10 {
		record := &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte{byte(i)}}
		require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	}

	var values []byte
	for _, record := range broker.Records(t, topic) {
		values = append(values, record.Value...)
	}

	require.Equal(t, []byte{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}, values)
	require.Empty(t, broker.Records(t, broker.Topic(t, 1)))
}

func TestPrivateBrokerKeepsDataOverFaults(t *testing.T) {
	broker := PrivateKafka(t, nil)
	topic := broker.Topic(t, 1)
	produce := func(value string, timeout time.Duration) error {
		client := broker.Client(t)
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
	}

	require.NoError(t, produce("first", time.Minute))
	broker.Restart(t)
	require.NoError(t, produce("after a restart", time.Minute))
	broker.Kill()
	broker.Start(t)
	require.NoError(t, produce("after a crash", time.Minute))
	broker.Pause(t)
	require.Error(t, produce("never", 200*time.Millisecond))
	broker.Resume(t)
	require.NoError(t, produce("after a pause", time.Minute))

	var values []string
	for _, record := range broker.Records(t, topic) {
		values = append(values, string(record.Value))
	}
	require.Equal(t, []string{"first", "after a restart", "after a crash", "after a pause"}, values)
}

func TestBrokerEndsWithItsTestProcess(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), orphanVariable+"=1")
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line := make([]byte, 4096)
	n, err := output.Read(line)
	require.NoError(t, err)
	pidText, dir, found := strings.Cut(strings.TrimSpace(string(line[:n])), " ")
	require.True(t, found, "the child said: %s", line[:n])
	pid, err := strconv.Atoi(pidText)
	require.NoError(t, err)
	require.True(t, proc.Alive(pid))

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()

	require.Eventually(t, func() bool { return !proc.Alive(pid) }, 5*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return !exists(dir) }, 5*time.Second, 10*time.Millisecond)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestConnectWorkerRunsAConnector(t *testing.T) {
	broker := Kafka(t)
	topic := broker.Topic(t, 1)
	input := filepath.Join(t.TempDir(), "input")
	require.NoError(t, os.WriteFile(input, []byte("one\ntwo\n"), 0o600))
	worker := ConnectWorker(t, server.ConnectOptions{Bootstrap: broker.Bootstrap})

	require.NoError(t, worker.Create(t.Context(), Name(t), map[string]string{
		"connector.class": "FileStreamSource", "file": input, "topic": topic,
	}))

	require.Eventually(t, func() bool { return len(broker.Records(t, topic)) == 2 }, time.Minute, 100*time.Millisecond)
	require.Greater(t, proc.CPU(worker.PID()), 500*time.Millisecond)
}

func TestPythonHasThePackages(t *testing.T) {
	python := Python(t, "protobuf==7.36.2")

	out, err := exec.CommandContext(t.Context(), python, "-c", "import google.protobuf; print(google.protobuf.__version__)").Output()

	require.NoError(t, err)
	require.Equal(t, "7.36.2\n", string(out))
}
