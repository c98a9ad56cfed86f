package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Connect makes one plain connection.
type Connect func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns a function that connects and finishes the handshake within timeout,
// with the stores as they are then and the host of the address as the name to check.
// Its errors after the connection is made are *[HandshakeError].
func (i *Identity) Dialer(connect Connect, timeout time.Duration) Connect {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		raw, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, errNoHandshake)
		defer cancel()
		conn := tls.Client(raw, i.ClientFor(host))
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			if errors.Is(context.Cause(ctx), errNoHandshake) {
				err = errNoHandshake
			}
			return nil, &HandshakeError{Address: address, cause: err}
		}
		return conn, nil
	}
}

var errNoHandshake = errors.New("the server did not answer the TLS handshake in time")

// HandshakeError says why a server was reached and TLS with it failed.
type HandshakeError struct {
	Address string // host:port
	cause   error
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("TLS with %s failed: %v", e.Address, e.cause)
}

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.cause }

// Advice says what to do, as a clause.
func (e *HandshakeError) Advice() string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(e.cause, &authority):
		return "add the authority that signed the server's certificate to ssl.truststore.location or ssl.truststore.certificates"
	case errors.As(e.cause, &host):
		return "connect by a name that the certificate holds, or switch the check off with an empty ssl.endpoint.identification.algorithm"
	case errors.As(e.cause, &invalid):
		return "renew the server's certificate, or the authority in the trust store"
	case errors.As(e.cause, &record):
		return "the server does not speak TLS on this port: check security.protocol and the port"
	}
	if advice, refused := Refused(e.cause); refused {
		return advice
	}
	return "check security.protocol, and that the server speaks TLS on this port"
}

// Final reports whether trying again is of no use before somebody changes a setting or a certificate.
func (e *HandshakeError) Final() bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	_, refused := Refused(e.cause)
	return refused || errors.As(e.cause, &authority) || errors.As(e.cause, &host) ||
		errors.As(e.cause, &invalid) || errors.As(e.cause, &record)
}

// Refused reports whether the other side ended a connection with a TLS alert, and what to do about it. With
// TLS 1.3 a server that refuses a client's certificate says so at the first read after the handshake.
func Refused(err error) (advice string, refused bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return "", false
	}
	if text := op.Err.Error(); strings.Contains(text, "certificate") || strings.Contains(text, "unknown authority") {
		return "the server refuses this client's certificate: give it a key store (ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain) whose certificate the server trusts", true
	}
	return "check ssl.enabled.protocols and ssl.cipher.suites against the server's", true
}
