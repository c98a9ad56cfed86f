package plugin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/tailrace/tailrace/host/plugin/process"
)

// ManifestName is the file that makes a folder on plugin.path a plugin.
const ManifestName = "plugin.yaml"

// maxManifestBytes bounds a plugin.yaml.
const maxManifestBytes = 64 << 10

// Program is an entry on plugin.path that can be started, before anybody asked what it is.
type Program struct {
	// Path is the entry on plugin.path: a file or a folder, as it stands there (a symbolic link is not resolved).
	Path string
	// Name is (until the plugin has described itself) the manifest's name, else the file's name.
	Name string
	// Command is the program's file, absolute; Args follow it.
	Command string
	Args    []string
	Env     map[string]string
	Dir     string // working folder, empty for the program's own
	// Size and ModTime are those of the program's file, and stand with Checksum for its identity. For a folder Checksum
	// covers plugin.yaml too.
	Size     int64
	ModTime  time.Time
	Checksum string // sha256, hex
}

func (p Program) command() process.Command {
	return process.Command{Plugin: p.Name, Path: p.Command, Args: p.Args, Env: p.Env, Dir: p.Dir}
}

// manifest is a plugin.yaml.
type manifest struct {
	Name    string            `yaml:"name"`
	Command string            `yaml:"command"`
	Args    []string          `yaml:"args"`
	Env     map[string]string `yaml:"env"`
}

// ignored says that an entry is no plugin and no mistake either: a hidden file, a temporary one, a folder without
// plugin.yaml, a plain text file beside the plugins.
var errIgnored = errors.New("not a plugin")

// notPlugins are the endings of files that people keep beside plugins. A file with another name that is not executable is
// listed as broken, because it was probably copied without its mode.
var notPlugins = regexp.MustCompile(`(?i)\.(md|txt|ya?ml|json|properties|sha256|sig|asc|log|jar|tmp|part|swp)$|~$`)

// fingerprint tells two states of an entry apart without reading it. The change time is set by the kernel alone, so a
// rewrite that restores size and modification time is seen too.
type fingerprint struct {
	Command    string `json:"command"`
	Size       int64  `json:"size"`
	ModNanos   int64  `json:"modNanos"`
	ChangeNano int64  `json:"changeNanos"`
	Inode      uint64 `json:"inode"`
	Manifest   int64  `json:"manifestNanos,omitempty"` // latest change of plugin.yaml and of the files that its args name
}

// changed is the later of the times in the fingerprint at which the content changed.
func (f fingerprint) changed() time.Time {
	return time.Unix(0, max(f.ModNanos, f.ChangeNano, f.Manifest))
}

// readProgram looks at one entry of plugin.path. The error is errIgnored, or says what is wrong with it.
func readProgram(path string) (Program, fingerprint, error) {
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") || notPlugins.MatchString(name) {
		return Program{}, fingerprint{}, errIgnored
	}
	info, err := os.Stat(path)
	if err != nil {
		return Program{}, fingerprint{}, statError(path, err)
	}
	program := Program{Path: path, Name: name, Command: path}
	var print fingerprint
	if info.IsDir() {
		if err := program.readManifest(path); err != nil {
			return program, fingerprint{}, err
		}
		for _, file := range program.files() {
			if info, err := os.Stat(file); err == nil {
				_, changed := inode(info)
				print.Manifest = max(print.Manifest, info.ModTime().UnixNano(), changed)
			}
		}
	} else {
		program.Name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	if program.Command, err = filepath.Abs(program.Command); err != nil {
		return program, print, err
	}
	// A link is followed to tell versions apart, not to start the program: the Python of a venv finds its packages, and a
	// multi-call program its name, by the path that it was called by.
	if print.Command, err = filepath.EvalSymlinks(program.Command); err != nil {
		return program, print, statError(program.Command, err)
	}
	if info, err = os.Stat(program.Command); err != nil {
		return program, print, statError(program.Command, err)
	}
	program.Size, program.ModTime = info.Size(), info.ModTime()
	print.Size, print.ModNanos = info.Size(), info.ModTime().UnixNano()
	print.Inode, print.ChangeNano = inode(info)
	switch {
	case !info.Mode().IsRegular():
		return program, print, fmt.Errorf("%s is not a file", program.Command)
	case info.Mode().Perm()&0o111 == 0:
		return program, print, fmt.Errorf("%s is not executable; run chmod +x on it", program.Command)
	case info.Size() == 0:
		return program, print, fmt.Errorf("%s is empty", program.Command)
	}
	return program, print, nil
}

func statError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist, or is a link to nothing", path)
	}
	return fmt.Errorf("cannot look at %s: %w", path, err)
}

// readManifest fills the program from a folder's plugin.yaml. Paths in it are relative to the folder.
func (p *Program) readManifest(folder string) error {
	file := filepath.Join(folder, ManifestName)
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return errIgnored
	}
	if err != nil {
		return statError(file, err)
	}
	if info.Size() > maxManifestBytes {
		return fmt.Errorf("%s is larger than %d KiB", file, maxManifestBytes>>10)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	var m manifest
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		return fmt.Errorf("%s: %w; its keys are name, command, args and env", file, err)
	}
	if m.Command == "" {
		return fmt.Errorf("%s names no command", file)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return err
	}
	if m.Name != "" {
		p.Name = m.Name
	}
	if p.Command, err = findCommand(folder, m.Command); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	p.Args, p.Env, p.Dir = m.Args, m.Env, folder
	return nil
}

// findCommand resolves a manifest's command: a path (relative to the folder) when it has a slash or such a file is in the
// folder, else a program in PATH ("python3").
func findCommand(folder, command string) (string, error) {
	if filepath.IsAbs(command) {
		return command, nil
	}
	local := filepath.Join(folder, command)
	if _, err := os.Stat(local); err == nil || strings.ContainsRune(command, filepath.Separator) {
		return local, nil
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		candidate := filepath.Join(dir, command)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return filepath.Abs(candidate)
		}
	}
	return "", fmt.Errorf("its command %q is neither in the folder nor in PATH", command)
}

// files are what makes up a folder's plugin beside the command: plugin.yaml, and the script that an interpreter runs.
func (p Program) files() []string {
	if p.Dir == "" {
		return nil
	}
	files := []string{filepath.Join(p.Path, ManifestName)}
	for _, argument := range p.Args {
		if !filepath.IsAbs(argument) {
			argument = filepath.Join(p.Dir, argument)
		}
		if info, err := os.Stat(argument); err == nil && info.Mode().IsRegular() {
			files = append(files, argument)
		}
	}
	return files
}

// checksum reads the program (and the manifest of a folder).
func (p Program) checksum() (string, error) {
	hash := sha256.New()
	for _, name := range append([]string{p.Command}, p.files()...) {
		file, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("cannot read %s: %w", name, err)
		}
		_, err = io.Copy(hash, file)
		file.Close()
		if err != nil {
			return "", fmt.Errorf("cannot read %s: %w", name, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
