package plugin

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// cacheFormat is raised when the file's shape changes; another format is not read.
const cacheFormat = 2

// descriptionCache keeps what plugins said of themselves, so that starting a worker starts no plugin that it does not
// use. It is a convenience: whatever is wrong with the file means that plugins are asked again.
type descriptionCache struct {
	file    string
	version string
	logger  *slog.Logger

	mu      sync.Mutex
	entries map[string]cachedDescription // by path
	dirty   bool
}

type cacheFile struct {
	Format  int                          `json:"format"`
	Worker  string                       `json:"worker"`
	Entries map[string]cachedDescription `json:"entries"`
}

type cachedDescription struct {
	Print       fingerprint `json:"print"`
	Checksum    string      `json:"checksum"`
	Description Description `json:"description"`
}

func loadCache(file, version string, logger *slog.Logger) *descriptionCache {
	c := &descriptionCache{file: file, version: version, logger: logger, entries: make(map[string]cachedDescription)}
	if file == "" {
		return c
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c
	}
	var stored cacheFile
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err != nil {
		logger.Warn("the plugin cache cannot be read, plugins are asked again", "file", file, "error", err)
		return c
	}
	if stored.Format != cacheFormat || stored.Worker != version {
		return c
	}
	for path, entry := range stored.Entries {
		if entry.Description.Check() == nil {
			c.entries[path] = entry
		}
	}
	return c
}

func (c *descriptionCache) byPrint(path string, print fingerprint) (cachedDescription, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[path]
	return entry, ok && entry.Print == print
}

func (c *descriptionCache) byChecksum(path, checksum string) (Description, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[path]
	return entry.Description, ok && entry.Checksum == checksum
}

func (c *descriptionCache) put(path string, print fingerprint, plugin *Plugin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[path] = cachedDescription{Print: print, Checksum: plugin.Checksum, Description: plugin.Description}
	c.dirty = true
}

// save writes the file when something changed, without the entries of paths that are gone.
func (c *descriptionCache) save(exists func(path string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty || c.file == "" {
		return
	}
	maps.DeleteFunc(c.entries, func(path string, _ cachedDescription) bool { return !exists(path) })
	if err := c.write(); err != nil {
		c.logger.Warn("the plugin cache cannot be written", "file", c.file, "error", err)
	}
	c.dirty = false // not again before the next change
}

// write replaces the file as a whole: two workers may share it.
func (c *descriptionCache) write() error {
	text, err := json.Marshal(cacheFile{Format: cacheFormat, Worker: c.version, Entries: c.entries})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(c.file), ".plugins-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), c.file)
}
