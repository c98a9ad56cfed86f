package process

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Defaults of the times and limits below.
const (
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultTermGrace        = 2 * time.Second
	DefaultMemoryLimitBytes = 1 << 30
	// KeepaliveFD is the plugin's end of the keep-alive pipe. Reading it blocks while the host lives and gives end of
	// file when the host is gone; nothing is ever written to it.
	KeepaliveFD = 3
	// KeepaliveKey is the environment variable that names KeepaliveFD to the plugin.
	KeepaliveKey = "TAILRACE_KEEPALIVE_FD"
)

// ProtocolVersion is the major version of the plugin protocol: go-plugin's application version.
const ProtocolVersion = 1

// The cookie tells a plugin that it was started by a host and not by a person. It is no secret.
const (
	CookieKey   = "TAILRACE_PLUGIN"
	CookieValue = "6f1d1a8e-connect"
)

// Command says what to start and with which limits.
type Command struct {
	// Plugin and Connector name the process in logs and errors. Connector is empty when no connector is concerned.
	Plugin, Connector string
	// Path is the program. It must be absolute: nothing is looked up in PATH.
	Path string
	// Args are the arguments after the program's name.
	Args []string
	// Dir is the working folder. Empty means the folder that Path is in.
	Dir string
	// Env is what the plugin gets beyond the inherited variables in Inherited: what its plugin.yaml sets and what the
	// connector's config grants.
	Env map[string]string
	// Limits bound the process and its children together.
	Limits Limits
	// HandshakeTimeout bounds the time from the start to the handshake line. Zero means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration
	// Mask removes secrets from a line of output before it is logged or kept. Nil keeps lines as they are.
	Mask func(string) string
}

// Limits of a process. The zero value of a field means: DefaultMemoryLimitBytes, no CPU limit.
type Limits struct {
	// MemoryBytes bounds the resident memory of the process and its children. Negative means no limit.
	MemoryBytes int64
	// CPUs bounds the processors in use, for example 0.5 or 2. Without a cgroup it is rounded up to whole processors.
	CPUs float64
}

func (l Limits) memoryBytes() int64 {
	switch {
	case l.MemoryBytes == 0:
		return DefaultMemoryLimitBytes
	case l.MemoryBytes < 0:
		return 0
	default:
		return l.MemoryBytes
	}
}

// Inherited lists the variables that a plugin gets from the host's environment (I-9). HOME is not among them: it leads
// client libraries to credential files that the connector's config does not name. A config can grant it.
var Inherited = []string{"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}

// environment builds the plugin's complete environment. handshake are go-plugin's variables; they and marker win over
// everything else.
func (c Command) environment(host func(string) (string, bool), handshake []string, marker string) []string {
	values := make(map[string]string, len(Inherited)+len(c.Env)+8)
	for _, key := range Inherited {
		if value, ok := host(key); ok {
			values[key] = value
		}
	}
	if limit := c.Limits.memoryBytes(); limit > 0 {
		// A Go plugin collects harder before it meets its limit. Other runtimes ignore the variable.
		values["GOMEMLIMIT"] = fmt.Sprintf("%dB", limit/10*8)
	}
	maps.Copy(values, c.Env)
	for _, entry := range handshake {
		key, value, _ := strings.Cut(entry, "=")
		values[key] = value
	}
	values[KeepaliveKey] = fmt.Sprint(KeepaliveFD)
	key, value, _ := strings.Cut(marker, "=")
	values[key] = value
	env := make([]string, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		env = append(env, key+"="+values[key])
	}
	return env
}

func (c Command) mask(line string) string {
	if c.Mask == nil {
		return line
	}
	return c.Mask(line)
}

func (c Command) handshakeTimeout() time.Duration {
	if c.HandshakeTimeout <= 0 {
		return DefaultHandshakeTimeout
	}
	return c.HandshakeTimeout
}

func hostEnvironment(key string) (string, bool) { return os.LookupEnv(key) }
