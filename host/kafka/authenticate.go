package kafka

import (
	"context"
	"errors"
	"strings"
	"time"
)

// authenticateTimeout bounds the first contact of a client that has to prove who it is.
const authenticateTimeout = 10 * time.Second

// Authenticate finds out whether brokers accept the credentials and certificates of a configuration, with
// a connection of its own. A producer or consumer with wrong ones would wait for ever, as it
// does for a broker that is away. The error matches [ErrAuthentication], or is about a key store that cannot be
// read. It is nil when a broker accepts them, when none can be reached within some seconds, and at once for PLAINTEXT.
func Authenticate(ctx context.Context, cfg ClientConfig) error {
	if cfg.security.protocol == "PLAINTEXT" {
		return nil
	}
	const op = "log in to"
	subject := strings.Join(cfg.BootstrapServers, ",")
	cfg.Kind = AdminClient // without the options of a group or producer
	cl, err := cfg.newClient(new(health))
	if err != nil {
		return newError(op, subject, err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, authenticateTimeout)
	defer cancel()
	if err := newError(op, subject, cl.Ping(ctx)); errors.Is(err, ErrAuthentication) && !IsRetriable(err) {
		return err
	}
	return nil
}
