package herder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/host/plugin"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// serveArg makes the test program a plugin.
const serveArg = "serve-scripted-plugin"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveArg {
		connect.Serve(connect.Plugin{Name: "scripted", Version: "1.2.3", Sources: []connect.Source{{
			Name: "scripted", Aliases: []string{"org.example.ScriptedSourceConnector"}, Doc: "Does what its configuration says.",
			Config: connect.NewConfigDef(
				connect.ConfigKey{Name: "behave", Type: connect.TypeString, HasDefault: true, Default: "well"},
				connect.ConfigKey{Name: "secret", Type: connect.TypePassword},
				connect.ConfigKey{Name: "needed", Type: connect.TypeString, Required: true},
			),
			Connector: func() connect.SourceConnector { return &scripted{} },
			Task:      func() connect.SourceTask { return idleTask{} },
		}}})
		return
	}
	goleak.VerifyTestMain(suite{m},
		goleak.IgnoreAnyFunction("github.com/dlclark/regexp2.runClock")) // ends by itself, see package config
}

// suite ends what all tests share before leaks are looked for.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if shared.catalogue != nil {
		shared.catalogue.Close()
		if err := shared.host.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(shared.folder)
	}
	return code
}

// scripted is a connector that behaves as its configuration says.
type scripted struct{ cfg connect.Config }

func (c *scripted) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	c.cfg = cfg
	return nil
}

func (c *scripted) TaskConfigs(context.Context, int) ([]connect.Config, error) {
	return []connect.Config{c.cfg}, nil
}

func (c *scripted) Stop(context.Context) error { return nil }

func (c *scripted) Validate(_ context.Context, cfg connect.Config) []connect.ConfigIssue {
	switch cfg["behave"] {
	case "hang":
		select {}
	case "exit":
		os.Exit(3)
	case "panic":
		panic("so it goes")
	case "tell":
		return []connect.ConfigIssue{{Key: "behave", Message: "the secret is " + cfg["secret"]}}
	}
	return nil
}

func (c *scripted) AlterOffsets(_ context.Context, _ connect.Config, offsets []connect.PartitionOffset) error {
	for _, o := range offsets {
		if o.Partition["file"] == "refused" {
			return errors.New("this file is refused")
		}
	}
	return nil
}

// Deleted notes that it was called, or does what the configuration says.
func (c *scripted) Deleted(_ context.Context, cfg connect.Config) error {
	file, noted := strings.CutPrefix(cfg["behave"], "note:")
	switch {
	case noted:
		return os.WriteFile(file, []byte(cfg["secret"]), 0o600)
	case cfg["behave"] == "cannot delete":
		return errors.New("the slot of " + cfg["secret"] + " is in use")
	}
	return nil
}

type idleTask struct{}

func (idleTask) Start(context.Context, connect.Config, *connect.SourceContext) error { return nil }
func (idleTask) Poll(ctx context.Context, _ *connect.Batch) error                    { <-ctx.Done(); return nil }
func (idleTask) Stop(context.Context) error                                          { return nil }

// shared is a real plugin host on the scripted plugin, with short deadlines, for all tests.
var shared struct {
	once      sync.Once
	err       error
	folder    string
	host      *plugin.Host
	catalogue *plugin.Catalogue
}

func hosted(t *testing.T) (*plugin.Host, *plugin.Catalogue) {
	t.Helper()
	shared.once.Do(func() { shared.err = startShared() })
	require.NoError(t, shared.err)
	return shared.host, shared.catalogue
}

func startShared() error {
	folder, err := os.MkdirTemp("", "herder-")
	if err != nil {
		return err
	}
	shared.folder = folder
	if err := fillPluginFolder(folder); err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	shared.host, err = plugin.NewHost(plugin.HostOptions{
		Logger: logger, Version: "test",
		Timeouts: plugin.Timeouts{Validate: time.Second, Shutdown: 200 * time.Millisecond, Term: 200 * time.Millisecond},
	})
	if err != nil {
		return err
	}
	shared.catalogue = plugin.OpenCatalogue(plugin.CatalogueOptions{Paths: []string{folder}, Describe: shared.host.Describe, Version: "test", Logger: logger})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return shared.catalogue.Settled(ctx)
}

// fillPluginFolder makes a plugin.path with the scripted plugin and one that cannot be used.
func fillPluginFolder(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %q %s\n", self, serveArg)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "scripted"), []byte(script), 0o700),
		os.WriteFile(filepath.Join(dir, "broken"), []byte("#!/bin/sh\necho no plugin >&2; exit 1\n"), 0o700),
	)
}
