package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
)

// The built program holds what the protocol promises, over a real file.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "jdbc-source")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	db := newSQLite(t)
	db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
	db.fill(t, "r", 1, 2000)
	connecttest.Conformance(t, connecttest.Program(program), connecttest.Options{Configs: map[string]connect.Config{
		"jdbc-source": db.config(t, "incrementing", []string{"r"}, "batch.max.rows", "50"),
	}})
}
