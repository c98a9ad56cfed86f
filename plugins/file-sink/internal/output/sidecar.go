package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SidecarSuffix makes the name of the sidecar from that of the file.
const SidecarSuffix = ".offsets"

// Partition is a Kafka partition.
type Partition struct {
	Topic  string
	Number int32
}

// sidecar is what the file holds for sure.
type sidecar struct {
	size int64
	next map[Partition]int64 // the offset after the last record in the file
}

// sidecarJSON is its stored form.
type sidecarJSON struct {
	Version int           `json:"version"`
	Size    int64         `json:"size"`
	Offsets []offsetsJSON `json:"offsets"`
}

type offsetsJSON struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"`
}

const sidecarVersion = 1

// readSidecar returns nil without an error if there is none.
func readSidecar(path string) (*sidecar, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, writeError("read", path, err)
	}
	var stored sidecarJSON
	err = json.Unmarshal(raw, &stored)
	if err == nil && (stored.Version != sidecarVersion || stored.Size < 0) {
		err = fmt.Errorf("version %d, size %d", stored.Version, stored.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a valid offsets file: %w. It says how far %s is complete; restore it, or delete "+
			"both files and reset the connector's offsets to write everything again", path, err, strings.TrimSuffix(path, SidecarSuffix))
	}
	s := &sidecar{size: stored.Size, next: make(map[Partition]int64)}
	for _, o := range stored.Offsets {
		s.next[Partition{o.Topic, o.Partition}] = o.Next
	}
	return s, nil
}

// write replaces the sidecar as a whole.
func (s *sidecar) write(path string, sync bool) error {
	stored := sidecarJSON{Version: sidecarVersion, Size: s.size, Offsets: []offsetsJSON{}}
	for p, next := range s.next {
		stored.Offsets = append(stored.Offsets, offsetsJSON{p.Topic, p.Number, next})
	}
	slices.SortFunc(stored.Offsets, func(a, b offsetsJSON) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	raw, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	if err := replaceFile(path, append(raw, '\n'), sync); err != nil {
		return writeError("write to", path, err)
	}
	return nil
}

func replaceFile(path string, content []byte, sync bool) error {
	temporary := path + ".tmp"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err == nil && sync {
		err = syncFolder(path)
	}
	return err
}

// syncFolder makes the names in a folder durable, after a rename or creation.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Alter changes the offsets of a file that nobody writes: those given are set, negative ones removed. What is in the file
// stays. Without a sidecar it does nothing.
func Alter(path string, offsets map[Partition]int64) error {
	s, err := readSidecar(path + SidecarSuffix)
	if s == nil || err != nil {
		return err
	}
	// What lies behind the size was never confirmed; it is cut now, because the offsets will no longer tell.
	if info, err := os.Stat(path); err == nil && info.Size() > s.size {
		if err := os.Truncate(path, s.size); err != nil {
			return writeError("cut", path, err)
		}
	}
	for p, next := range offsets {
		if next < 0 {
			delete(s.next, p)
			continue
		}
		s.next[p] = next
	}
	return s.write(path+SidecarSuffix, true)
}
