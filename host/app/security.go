package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/tailrace/tailrace/host/access"
	"github.com/tailrace/tailrace/host/audit"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/rest"
	"github.com/tailrace/tailrace/host/tlsconfig"
)

// secure opens what guards the REST API: users, tokens, roles, and the audit log.
func (p *parts) secure() error {
	settings := p.settings.REST
	log, err := audit.Open(audit.Options{File: settings.AuditFile, Reads: settings.AuditReads, Logger: p.logger})
	if err != nil {
		return err
	}
	p.onClose(func(context.Context) error { return log.Close() })
	p.security = rest.Security{Audit: log, OpenHealth: settings.Auth.OpenHealth, Logger: p.logger}
	if !settings.Auth.Enabled() {
		p.warnOfOpenDoors("nobody has to log in to the REST API, and it can be reached from elsewhere; set rest.auth.users.file or one of the other rest.auth settings, or listen on localhost")
		return nil
	}
	p.warnOfPlainText()
	p.security.Gate, err = p.openGate(settings.Auth)
	return err
}

func (p *parts) openGate(a config.Auth) (*access.Gate, error) {
	o := access.Options{
		UsersFile: a.UsersFile, ConnectUsersFile: a.ConnectUsersFile, ReadConnectUsers: config.ReadProperties,
		Certificates: a.ClientCertificates, RolesFile: a.RolesFile, Logger: p.logger,
	}
	if a.Issuer != "" {
		transport, err := p.issuerTransport(a)
		if err != nil {
			return nil, fmt.Errorf("rest.auth.oidc: %w", err)
		}
		o.Tokens = &access.TokenOptions{
			Issuer: a.Issuer, Audience: a.Audience, KeysURL: a.KeysURL, NameClaim: a.UserClaim, GroupsClaim: a.GroupsClaim,
			Leeway: a.ClockSkew, Transport: transport, Logger: p.logger,
		}
	}
	return access.Open(o)
}

// issuerTransport reaches the issuer of tokens with the trust that rest.auth.oidc.ssl. settings name.
func (p *parts) issuerTransport(a config.Auth) (http.RoundTripper, error) {
	settings, err := tlsconfig.Parse(a.IssuerTLS)
	if err != nil {
		return nil, err
	}
	identity, err := tlsconfig.Open(settings, "trust in the issuer of tokens", p.logger)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: identity.Client(), DisableKeepAlives: true} // asked a few times an hour
	return t, nil
}

// warnOfOpenDoors logs a warning when a listener can be reached from other machines.
func (p *parts) warnOfOpenDoors(message string) {
	for _, l := range append(append([]rest.Listener{}, p.listeners...), p.admin...) {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			p.logger.Warn(message, "address", l.Addr())
			return
		}
	}
}

// warnOfPlainText logs a warning when passwords or tokens would cross a network unencrypted.
func (p *parts) warnOfPlainText() {
	for _, l := range append(append([]rest.Listener{}, p.listeners...), p.admin...) {
		if a, ok := l.Addr().(*net.TCPAddr); ok && l.TLS == nil && !a.IP.IsLoopback() {
			p.logger.Warn("passwords and tokens cross the network in clear text; use an https listener", "address", l.Addr())
			return
		}
	}
}

// hostname is this machine's name.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}
