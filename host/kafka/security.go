package kafka

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// security is the transport and the identity of a client. Everything that TLS
// and SASL need is read, checked and turned into options in this file.
type security struct {
	protocol string // PLAINTEXT
}

// parseSecurity reads security.protocol, ssl.* and sasl.*. With PLAINTEXT the
// ssl.* and sasl.* keys have no effect, as in the Java client.
func parseSecurity(props map[string]string) (security, error) {
	protocol := strings.ToUpper(strings.TrimSpace(props["security.protocol"]))
	switch protocol {
	case "", "PLAINTEXT":
		return security{protocol: "PLAINTEXT"}, nil
	case "SSL", "SASL_PLAINTEXT", "SASL_SSL":
		return security{}, &ConfigError{Key: "security.protocol", Value: protocol, Reason: "this version speaks PLAINTEXT only; use a PLAINTEXT listener of the broker"}
	default:
		return security{}, &ConfigError{Key: "security.protocol", Value: props["security.protocol"], Reason: "must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"}
	}
}

// isSecurityKey reports whether parseSecurity owns the key. Values of such keys
// are never printed (I-9).
func isSecurityKey(key string) bool {
	return key == "security.protocol" || strings.HasPrefix(key, "ssl.") ||
		strings.HasPrefix(key, "sasl.") || key == "security.providers"
}

func (s security) options() []kgo.Opt { return nil }
