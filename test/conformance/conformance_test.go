package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestFileSourceKeepsTheProtocol(t *testing.T) {
	lines := filepath.Join(t.TempDir(), "lines.txt")
	var text bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(lines, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	config := connect.Config{"topic": "lines", "file": lines, "batch.size": "100"}
	connecttest.Conformance(t, program(t, "file-source"), connecttest.Options{Configs: map[string]connect.Config{"file-source": config}})
}

func TestFileSinkKeepsTheProtocol(t *testing.T) {
	config := connect.Config{"topics": "lines", "file": filepath.Join(t.TempDir(), "out.txt")}
	var records []connecttest.Record
	for i := range 1000 {
		records = append(records, connecttest.Record{Topic: "lines", Value: fmt.Sprint("line ", i), ValueSchema: data.StringSchema})
	}
	connecttest.Conformance(t, program(t, "file-sink"), connecttest.Options{Configs: map[string]connect.Config{"file-sink": config}, Records: records})
}

func program(t *testing.T, name string) connecttest.Target {
	t.Helper()
	return connecttest.Program(filepath.Join(harness.Binaries(t), "plugins", name))
}

func TestElasticsearchSinkKeepsTheProtocol(t *testing.T) {
	config := connect.Config{
		"topics": "conformance", "connection.url": env.OpenSearch(t).URL, "schema.ignore": "true", "read.timeout.ms": "60000",
		"connection.timeout.ms": "30000",
	}
	var records []connecttest.Record
	for i := range 1000 {
		records = append(records, connecttest.Record{
			Topic: "conformance", Key: fmt.Sprint(i), KeySchema: data.StringSchema, Value: fmt.Sprintf(`{"n":%d}`, i), ValueSchema: data.StringSchema,
		})
	}
	connecttest.Conformance(t, program(t, "elasticsearch-sink"), connecttest.Options{Configs: map[string]connect.Config{"elasticsearch-sink": config}, Records: records})
}
