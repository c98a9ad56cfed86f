package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/tlsconfig"
)

// security is the transport and the identity of a client. What holds secrets
// stands behind a pointer, so that printing a ClientConfig shows none (I-9).
type security struct {
	protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	tls      *tlsconfig.Settings
	login    *login
}

// parseSecurity reads security.protocol, ssl.* and sasl.*. Settings that the
// protocol does not use have no effect, as in the Java client. It reads no file.
func parseSecurity(props map[string]string) (security, error) {
	s := security{protocol: strings.ToUpper(strings.TrimSpace(props["security.protocol"]))}
	var errs []error
	switch s.protocol {
	case "":
		s.protocol = "PLAINTEXT"
	case "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL":
	default:
		return s, &ConfigError{Key: "security.protocol", Value: props["security.protocol"], Reason: "must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"}
	}
	if s.encrypted() {
		settings, err := tlsconfig.Parse(props)
		s.tls = &settings
		errs = append(errs, settingError(err))
	}
	if strings.HasPrefix(s.protocol, "SASL_") {
		l, err := parseLogin(props)
		s.login = l
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

func (s security) encrypted() bool { return s.protocol == "SSL" || s.protocol == "SASL_SSL" }

// settingError makes an error of package tlsconfig into one of this package.
func settingError(err error) error {
	var one *tlsconfig.SettingError
	if !errors.As(err, &one) {
		return err
	}
	reason := one.Reason
	if one.Err != nil {
		reason += ": " + one.Err.Error()
	}
	return &ConfigError{Key: one.Key, Reason: reason}
}

// isSecurityKey reports whether parseSecurity owns the key. Values of such keys
// are never printed (I-9).
func isSecurityKey(key string) bool {
	return key == "security.protocol" || strings.HasPrefix(key, "ssl.") ||
		strings.HasPrefix(key, "sasl.") || key == "security.providers"
}

// securityWarnings names keys of this file that are unknown or cannot work here.
func securityWarnings(props map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(props)) {
		if !isSecurityKey(key) || strings.TrimSpace(props[key]) == "" {
			continue
		}
		if why := config.WithoutEffect(key, props[key]); why != "" {
			out = append(out, fmt.Sprintf("client property %s has no effect: %s", key, why))
		} else if !config.IsClientSecurityKey(key) {
			out = append(out, unknownProperty(key))
		}
	}
	return out
}

// unknownProperty is the warning about a key that no client knows.
func unknownProperty(key string) string {
	text := fmt.Sprintf("client property %s is unknown and has no effect", key)
	known := append(slices.Collect(maps.Keys(properties)), config.ClientSecurityKeys()...)
	if near := config.Nearest(key, known); near != "" {
		text += fmt.Sprintf("; did you mean %s?", near)
	}
	return text
}

// options reads key stores and trust stores and returns what the library needs.
func (s security) options(c *ClientConfig) ([]kgo.Opt, error) {
	connect := tlsconfig.Connect(c.connect)
	if s.encrypted() {
		log := c.Logger
		if log == nil {
			log = slog.New(slog.DiscardHandler)
		}
		identity, err := tlsconfig.Open(*s.tls, "keys and certificates of a Kafka client", log)
		if err != nil {
			return nil, settingError(err)
		}
		connect = identity.Dialer(c.connect, c.DialTimeout)
	}
	opts := []kgo.Opt{kgo.Dialer(connect)}
	if s.login != nil {
		mechanism, err := s.login.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// connect makes one TCP connection with the socket settings of the client.
func (c *ClientConfig) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: c.DialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if c.SendBufferBytes > 0 {
			_ = tcp.SetWriteBuffer(c.SendBufferBytes) // a wish: the system has its own limits
		}
		if c.ReceiveBufferBytes > 0 {
			_ = tcp.SetReadBuffer(c.ReceiveBufferBytes)
		}
	}
	if c.wires != nil {
		return c.wires.add(conn)
	}
	return conn, nil
}
