package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"

	"github.com/tailrace/tailrace/host/reload"
)

// Identity is what a process shows and trusts, as its stores are now. Make one
// with [Open]; it is safe for several goroutines.
type Identity struct {
	settings Settings
	current  *reload.Value[material]
}

// material is the contents of the stores, as ready configurations: sessions are
// resumed within one of them only, so that a rotation also ends old sessions.
type material struct {
	server, client *tls.Config
	trusted        *x509.CertPool
}

// Open reads the stores. what names them in log lines. Stores that are files are
// read again when they change: connections made after that use the new ones. Ones
// that cannot be used are logged and leave those before in use.
func Open(s Settings, what string, logger *slog.Logger) (*Identity, error) {
	current, err := reload.Open(reload.Options{
		What: what, Files: slices.Concat(s.keys.files(), s.trust.files()), Logger: logger,
	}, s.load)
	if err != nil {
		return nil, err
	}
	return &Identity{settings: s, current: current}, nil
}

func (s Settings) load() (material, error) {
	certificates, err := s.keys.certificates()
	if err != nil {
		return material{}, err
	}
	trusted, err := s.trust.pool()
	if err != nil {
		return material{}, err
	}
	base := &tls.Config{MinVersion: max(s.minVersion, tls.VersionTLS12), MaxVersion: s.maxVersion, CipherSuites: s.suites, Certificates: certificates}
	m := material{server: base.Clone(), client: base, trusted: trusted}
	m.server.NextProtos = []string{"http/1.1"}
	m.server.ClientAuth, m.server.ClientCAs = s.clientAuth, trusted
	m.client.RootCAs = trusted
	if s.skipHostname {
		m.client.InsecureSkipVerify = true // Go checks the name with the chain; the chain alone is checked below
		m.client.VerifyConnection = func(c tls.ConnectionState) error { return verify(c, trusted, "") }
	}
	return m, nil
}

// Server returns the configuration of a listener for HTTP/1.1. It follows
// rotations by itself. A listener needs a key, and trusted certificates when it asks for
// those of clients.
func (i *Identity) Server() (*tls.Config, error) {
	if !i.settings.HasKey() {
		return nil, &SettingError{Key: "ssl.keystore.location", Reason: "is missing; an https listener needs a key and its certificate (or ssl.keystore.key and ssl.keystore.certificate.chain)"}
	}
	if i.settings.clientAuth != tls.NoClientCert && i.settings.trust.empty() {
		return nil, &SettingError{Key: "ssl.truststore.location", Reason: "is missing; ssl.client.auth needs the authorities that sign certificates of clients", Err: errNoDefaultTrust}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return i.current.Get().server, nil
		},
	}, nil
}

// errNoDefaultTrust is a deliberate difference from Java, which would trust every public authority.
var errNoDefaultTrust = errors.New("certificates of public authorities are not accepted from clients")

// Client returns a new configuration for one connection, as the stores are now. Ask
// for one per connection so that rotations are followed, and set ServerName to the host's name.
func (i *Identity) Client() *tls.Config { return i.current.Get().client.Clone() }

// ClientFor is [Identity.Client] for a connection to host, with two things as Java does
// them: a certificate without alternative names is matched by its common name, and our
// certificate is shown even when the server names other authorities than its issuer.
func (i *Identity) ClientFor(host string) *tls.Config {
	m := i.current.Get()
	c := m.client.Clone()
	c.ServerName = host
	if own := c.Certificates; len(own) > 0 {
		c.Certificates = nil
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	if i.settings.skipHostname {
		host = ""
	}
	c.InsecureSkipVerify = true // verify does it
	c.VerifyConnection = func(state tls.ConnectionState) error { return verify(state, m.trusted, host) }
	return c
}
