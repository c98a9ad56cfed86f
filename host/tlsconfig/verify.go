package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// verify checks a server's certificates as Java does: the chain leads to a trusted certificate,
// all are valid now and meant for servers, and the first is host's. It is Go's own check
// with two differences: an empty host is not checked, and a certificate without alternative names is
// matched by its common name. trusted nil means the system's authorities.
func verify(state tls.ConnectionState, trusted *x509.CertPool, host string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	options := x509.VerifyOptions{Roots: trusted, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	leaf := state.PeerCertificates[0]
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	if host == "" {
		return nil
	}
	err := leaf.VerifyHostname(host)
	if err != nil && matchesCommonName(leaf, host) {
		return nil
	}
	return err
}

// matchesCommonName is the rule of RFC 2818 for certificates without alternative
// names, which keytool makes unless told otherwise. Java follows it, Go no longer
// does. The name may start with a whole label of "*".
func matchesCommonName(leaf *x509.Certificate, host string) bool {
	if len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) > 0 || net.ParseIP(host) != nil {
		return false
	}
	name := strings.TrimSuffix(strings.ToLower(leaf.Subject.CommonName), ".")
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "" || !isHostName(name) {
		return false
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		_, domain, found := strings.Cut(host, ".")
		return found && strings.Contains(rest, ".") && domain == rest
	}
	return name == host
}

func isHostName(name string) bool {
	name = strings.TrimPrefix(name, "*.")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
