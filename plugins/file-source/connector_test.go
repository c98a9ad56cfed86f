package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
)

func shown(def *connect.ConfigDef) (names []string) {
	for _, k := range def.Keys() {
		if !k.Internal {
			names = append(names, k.Name)
		}
	}
	return names
}

func TestTheStandInShowsKafkasKeysAndTakesAll(t *testing.T) {
	hidden := definition(true)
	require.NoError(t, hidden.Err())
	require.Equal(t, []string{"file", "topic", "batch.size"}, shown(hidden))
	require.Equal(t, len(definition(false).Keys()), len(hidden.Keys()))
	require.NotContains(t, shown(definition(false)), "task.share.count")
}

// The texts were recorded from Kafka Connect 4.1.0.
func TestValidationSpeaksAsKafkaDoes(t *testing.T) {
	for message, cfg := range map[string]connect.Config{
		`Missing required configuration "topic" which has no default value.`:                              {"file": "/tmp/x"},
		"Invalid value many for configuration batch.size: Not a number of type INT":                       {"topic": "t", "batch.size": "many"},
		"Invalid value  for configuration topic: String must be non-empty":                                {"topic": ""},
		`Invalid value x for configuration fields: "x" is not name:type, for example id:int64`:            {"topic": "t", "fields": "x"},
		`Invalid value logs/* for configuration files: "logs/*" is not an absolute path: start it with /`: {"topic": "t", "files": "logs/*"},
		"Invalid value xml for configuration format: String must be one of: lines, bytes, json, csv":      {"topic": "t", "format": "xml"},
	} {
		issues := definition(true).Validate(cfg)
		require.Len(t, issues, 1, message)
		require.Equal(t, message, issues[0].Message)
	}
	require.Empty(t, definition(true).Validate(connect.Config{"topic": "t", "file": "/no/such/file", "batch.size": "0"}))
}

func TestRulesBetweenKeys(t *testing.T) {
	for message, cfg := range map[string]connect.Config{
		`the key "file" is set too`: {"topic": "t", "file": "/a", "files": "/b/*"},
		"it is the separator too":   {"topic": "t", "format": "csv", "csv.quote": ","},
		"only the formats csv":      {"topic": "t", "fields": "a:int8"},
	} {
		issues := (&connector{}).Validate(context.Background(), cfg)
		require.Len(t, issues, 1)
		require.Contains(t, issues[0].Message, message)
	}
}

func TestAMissingFileIsNoMistake(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/plain", nil, 0o600))
	for _, file := range []string{dir + "/missing", dir + "/plain/child", dir} {
		require.Empty(t, (&connector{}).Validate(context.Background(), connect.Config{"topic": "t", "file": file}))
	}
}

// TestAForbiddenFolderIsAMistake runs itself as another user when it is root, who may enter every folder.
func TestAForbiddenFolderIsAMistake(t *testing.T) {
	dir := os.Getenv("TEST_FORBIDDEN_FOLDER")
	if dir == "" && os.Getuid() == 0 {
		dir = filepath.Join("/tmp", "tailrace-forbidden-"+filepath.Base(t.TempDir()))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		t.Cleanup(func() { os.RemoveAll(dir) })
		self, err := os.Executable()
		require.NoError(t, err)
		program := dir + "-test"
		raw, err := os.ReadFile(self)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(program, raw, 0o755))
		t.Cleanup(func() { os.Remove(program) })
		cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestAForbiddenFolderIsAMistake$")
		cmd.Dir, cmd.Env = "/", []string{"TEST_FORBIDDEN_FOLDER=" + dir}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "forbidden")
		require.NoError(t, os.Mkdir(dir, 0))
	}
	for key, value := range map[string]string{"file": dir + "/x", "files": dir + "/*.log"} {
		issues := (&connector{}).Validate(context.Background(), connect.Config{"topic": "t", key: value})
		require.Len(t, issues, 1)
		require.Equal(t, key, issues[0].Key)
		require.Contains(t, issues[0].Message, dir)
		require.Contains(t, issues[0].Message, "give its user the right")
	}
}

// The texts were recorded from Kafka Connect 4.1.0, see its FileStreamSource.
func TestAlteredOffsetsAreCheckedAsKafkaDoes(t *testing.T) {
	ok := map[string]any{"filename": "/x"}
	at := func(v any) connect.Offset { return connect.Offset{"position": v} }
	for _, c := range []struct {
		partition map[string]any
		offset    connect.Offset
		want      string
	}{
		{nil, at(int64(3)), "Partition objects cannot be null"},
		{nil, nil, ""},
		{map[string]any{}, at(int64(3)), "Partition objects should contain the key 'filename'"},
		{map[string]any{"file": "/x"}, at(int64(1)), "Partition objects should contain the key 'filename'"},
		{ok, nil, ""},
		{ok, connect.Offset{}, "Offset objects should either be null or contain the key 'position'"},
		{ok, connect.Offset{"pos": int64(1)}, "Offset objects should either be null or contain the key 'position'"},
		{ok, at("7"), "The value for the 'position' key in the offset is expected to be a Long value"},
		{ok, at(1.5), "The value for the 'position' key in the offset is expected to be a Long value"},
		{ok, at(nil), "The value for the 'position' key in the offset is expected to be a Long value"},
		{ok, at(int64(-1)), "The value for the 'position' key in the offset should be a non-negative value"},
		{ok, at(int64(99999999999)), ""},
		{map[string]any{"filename": "/x", "x": "y"}, at(int64(1)), ""},
		{map[string]any{"filename": int64(5)}, at(int64(1)), ""},
		{map[string]any{"filename": nil}, at(int64(1)), ""},
	} {
		err := (&connector{}).AlterOffsets(context.Background(), connect.Config{"file": "/x"},
			[]connect.PartitionOffset{{Partition: c.partition, Offset: c.offset}})
		if c.want == "" {
			require.NoError(t, err, "%v %v", c.partition, c.offset)
		} else {
			require.EqualError(t, err, c.want)
		}
	}
	require.ErrorContains(t, (&connector{}).AlterOffsets(context.Background(), connect.Config{}, nil), "stdin")
}

func TestOneFileIsOneTaskAndPatternsAreMany(t *testing.T) {
	for want, cfg := range map[int]connect.Config{
		1: {"topic": "t", "file": "/x", "name": "n"},
		3: {"topic": "t", "files": "/x/*"},
	} {
		c := &connector{}
		require.NoError(t, c.Start(context.Background(), cfg, nil))
		tasks, err := c.TaskConfigs(context.Background(), 3)
		require.NoError(t, err)
		require.Len(t, tasks, want)
		if want == 1 {
			require.Equal(t, cfg, tasks[0], "as Kafka's connector gives it")
		}
		require.NoError(t, c.Stop(context.Background()))
	}
}
