package plugin

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shelf is a folder of plugins, its catalogue, and the number of times that a plugin was started to describe itself.
type shelf struct {
	t         *testing.T
	folder    string
	cache     string
	host      *testHost
	catalogue *Catalogue
	events    <-chan Event
	described atomic.Int64
}

func newShelf(t *testing.T) *shelf {
	timeouts := shortTimeouts
	timeouts.Handshake = 3 * time.Second
	return &shelf{t: t, folder: t.TempDir(), cache: filepath.Join(t.TempDir(), "plugins.json"), host: newTestHost(t, timeouts)}
}

func (s *shelf) open(folders ...string) {
	s.catalogue = OpenCatalogue(CatalogueOptions{
		Paths: append([]string{s.folder}, folders...), CacheFile: s.cache, Version: "test", Logger: slog.New(slog.NewTextHandler(s.host.logs, nil)),
		Describe: func(ctx context.Context, program Program) (Description, error) {
			s.described.Add(1)
			return s.host.Describe(ctx, program)
		},
	})
	s.events, _ = s.catalogue.Subscribe()
	s.t.Cleanup(s.catalogue.Close)
}

func (s *shelf) settled() Listing {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(s.t, s.catalogue.Settled(ctx))
	return s.catalogue.List()
}

// script writes an executable that runs the hostile plugin with an environment.
func (s *shelf) script(name string, env ...string) string {
	path := filepath.Join(s.folder, name)
	text := "#!/bin/sh\nHOSTILE_TAG=" + s.host.tag + " " + strings.Join(env, " ") + " exec " + hostileBinary + "\n"
	temporary := path + ".tmp"
	require.NoError(s.t, os.WriteFile(temporary, []byte(text), 0o755))
	require.NoError(s.t, os.Rename(temporary, path))
	return path
}

func (s *shelf) next(kind EventKind, limit time.Duration) Event {
	s.t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case event := <-s.events:
			if event.Kind == kind {
				return event
			}
			s.t.Logf("event %s %s %s", event.Kind, event.Path, event.Reason)
		case <-timer.C:
			require.FailNow(s.t, "no event "+string(kind))
		}
	}
}

func TestTheCatalogueListsWhatIsUsableAndWhyTheRestIsNot(t *testing.T) {
	s := newShelf(t)
	broken := map[string]string{
		"hang":       "start=hang",
		"version":    "handshake=version",
		"crash":      "start=kill",
		"noise":      "start=flood",
		"nothing":    "describe=nothing",
		"empty":      "describe=no-connectors",
		"badname":    "describe=bad-name",
		"badversion": "describe=bad-version",
		"badkind":    "describe=bad-kind",
		"duplicate":  "describe=duplicate",
		"badalias":   "describe=alias-duplicate",
		"badkey":     "describe=bad-key",
		"changing":   "describe=changing",
		"huge":       "describe=huge",
		"dies":       "describe=exit",
		"silent":     "describe=hang",
	}
	want := map[string]string{
		"hang": "printed no handshake line", "version": "version 7", "crash": "signal killed", "noise": "printed more than",
		"nothing": "without a name", "empty": "offers no connector and no transform", "badname": "is not valid", "badversion": "not a version",
		"badkind": "neither a source nor a sink", "duplicate": "two of its connectors", "badalias": "two of its connectors",
		"badkey": "configuration key", "changing": "changes from one call", "huge": "larger than", "dies": "exited with status 3", "silent": "did not answer in time",
	}
	for name, script := range broken {
		s.script(name, "HOSTILE="+script)
	}
	s.script("good", "HOSTILE_NAME=good")
	s.script("good-2", "HOSTILE_NAME=good", "HOSTILE_VERSION=2.0.0")
	s.script("forks", "HOSTILE=start=detach", "HOSTILE_NAME=forks")
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "plain"), []byte("#!/bin/sh\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "text"), []byte("no program"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "README.md"), []byte("about"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, ".hidden"), nil, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(s.folder, "nowhere"), filepath.Join(s.folder, "dangling")))
	require.NoError(t, os.Mkdir(filepath.Join(s.folder, "folder"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(s.folder, "with-manifest"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "with-manifest", "run"), []byte("#!/bin/sh\nexec "+hostileBinary+" \"$@\"\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "with-manifest", ManifestName),
		[]byte("name: manifest\ncommand: run\nargs: [a]\nenv: {HOSTILE_NAME: manifest, HOSTILE_TAG: \""+s.host.tag+"\"}\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(s.folder, "bad-manifest"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "bad-manifest", ManifestName), []byte("comand: x\n"), 0o644))
	linked := filepath.Join(t.TempDir(), "target")
	require.NoError(t, os.Rename(s.script("to-link", "HOSTILE_NAME=linked"), linked))
	require.NoError(t, os.Symlink(linked, filepath.Join(s.folder, "link")))

	s.open(filepath.Join(s.folder, "missing"))
	// A good plugin need not wait for those that hang.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	found, err := s.catalogue.Resolve(ctx, "com.example.linked.SourceConnector", "")
	require.NoError(t, err)
	require.Equal(t, Source, found.Connector.Kind)

	listing := s.settled()
	reasons := make(map[string]string)
	for _, b := range listing.Broken {
		reasons[filepath.Base(b.Path)] = b.Reason
	}
	want["plain"], want["text"], want["dangling"] = "chmod +x", "not a program", "does not exist"
	want["bad-manifest"], want["missing"] = "its keys are", "does not exist"
	for name, reason := range want {
		require.Contains(t, reasons[name], reason, name)
	}
	require.Len(t, reasons, len(want), "%v", reasons)
	var names []string
	for _, p := range listing.Plugins {
		names = append(names, p.Description.Name+" "+p.Description.Version)
	}
	require.ElementsMatch(t, []string{"good 1.0.0", "good 2.0.0", "forks 1.0.0", "manifest 1.0.0", "linked 1.0.0"}, names)
	found, err = listing.Resolve("good-source", "")
	require.NoError(t, err)
	require.Equal(t, "2.0.0", found.Plugin.Description.Version)
	s.host.requireNoProcess()
}

func TestADroppedPluginIsUsableWithinTwoSecondsAlsoWhenCopiedSlowly(t *testing.T) {
	s := newShelf(t)
	s.open()
	s.settled()
	start := time.Now()
	s.script("dropped", "HOSTILE_NAME=dropped")
	s.next(Added, 2*time.Second)
	t.Logf("usable after %s", time.Since(start).Round(time.Millisecond))

	source, err := os.Open(hostileBinary)
	require.NoError(t, err)
	defer source.Close()
	path := filepath.Join(s.folder, "copied")
	target, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	info, err := source.Stat()
	require.NoError(t, err)
	for range 10 {
		_, err = io.CopyN(target, source, info.Size()/10)
		require.NoError(t, err)
		<-time.After(100 * time.Millisecond) // the copy is slow, that is the case under test
	}
	_, err = io.Copy(target, source)
	require.NoError(t, err)
	require.NoError(t, target.Close())
	start = time.Now()
	event := s.next(Added, 2*time.Second)
	require.Equal(t, path, event.Path)
	t.Logf("usable after %s", time.Since(start).Round(time.Millisecond))
}

func TestReplacingAndRemovingLeavesRunningProcessesAlone(t *testing.T) {
	s := newShelf(t)
	path := s.script("p", "HOSTILE_NAME=p")
	s.open()
	first := s.settled().Plugins[0]
	running, err := s.host.Acquire(context.Background(), Launch{Plugin: first, Connector: "c", Task: NoTask})
	require.NoError(t, err)
	defer running.Release()

	s.script("p", "HOSTILE_NAME=p", "HOSTILE_VERSION=2.0.0") // written beside and renamed
	event := s.next(Replaced, 2*time.Second)
	require.Equal(t, "1.0.0", event.Old.Description.Version)
	require.Equal(t, "2.0.0", event.New.Description.Version)
	require.NoError(t, running.Ping(context.Background()))
	second, err := s.host.Acquire(context.Background(), Launch{Plugin: event.New, Connector: "c", Task: NoTask})
	require.NoError(t, err)
	require.NotSame(t, running, second, "the new version is another process")
	second.Release()

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "2.0.0", "3.0.0")), 0o755)) // in place
	require.Equal(t, "3.0.0", s.next(Replaced, 2*time.Second).New.Description.Version)

	s.script("p", "HOSTILE=describe=fail")
	require.NotNil(t, s.next(Failed, 4*time.Second).Old)
	s.script("p", "HOSTILE_NAME=p")
	s.next(Added, 2*time.Second)
	require.NoError(t, os.Remove(path))
	require.NotNil(t, s.next(Removed, 2*time.Second).Old)
	require.NoError(t, running.Ping(context.Background()))
}

func TestAStartWithAWarmCacheStartsNoPlugin(t *testing.T) {
	s := newShelf(t)
	s.script("a", "HOSTILE_NAME=a")
	path := s.script("b", "HOSTILE_NAME=b")
	s.open()
	require.Len(t, s.settled().Plugins, 2)
	s.catalogue.Close()
	require.EqualValues(t, 2, s.described.Load())

	s.open()
	require.Len(t, s.catalogue.List().Plugins, 2, "known at once")
	s.catalogue.Close()
	require.EqualValues(t, 2, s.described.Load())

	require.NoError(t, os.Chtimes(path, time.Now(), time.Now())) // touched, same content
	s.open()
	require.Len(t, s.settled().Plugins, 2)
	s.catalogue.Close()
	require.EqualValues(t, 2, s.described.Load())

	require.NoError(t, os.WriteFile(s.cache, []byte("{broken"), 0o600))
	s.open()
	require.Len(t, s.settled().Plugins, 2)
	require.EqualValues(t, 4, s.described.Load())
}
