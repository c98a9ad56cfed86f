package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"

	"github.com/tailrace/tailrace/host/tlsconfig"
	"github.com/tailrace/tailrace/test/env/pki"
)

func TestVersionsAndCipherSuitesFollowJava(t *testing.T) {
	const ecdhe = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	for _, c := range []struct {
		props    map[string]string
		min, max uint16
		want     string
	}{
		{nil, tls.VersionTLS12, tls.VersionTLS13, ""},
		{map[string]string{"ssl.protocol": "TLS"}, tls.VersionTLS12, tls.VersionTLS13, ""},
		{map[string]string{"ssl.protocol": "TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12, ""},
		{map[string]string{"ssl.enabled.protocols": "TLSv1.3"}, tls.VersionTLS13, tls.VersionTLS13, ""},
		{map[string]string{"ssl.cipher.suites": ecdhe}, tls.VersionTLS12, tls.VersionTLS12, ""},
		{map[string]string{"ssl.cipher.suites": "TLS_AES_128_GCM_SHA256"}, tls.VersionTLS13, tls.VersionTLS13, ""},
		{map[string]string{"ssl.cipher.suites": ecdhe + ",TLS_AES_256_GCM_SHA384"}, tls.VersionTLS12, tls.VersionTLS13, ""},
		{map[string]string{"ssl.protocol": "SSLv3"}, 0, 0, `ssl.protocol: "SSLv3" is not known or not safe`},
		{map[string]string{"ssl.protocol": "TLSv1.2", "ssl.enabled.protocols": "TLSv1.3"}, 0, 0, "ssl.enabled.protocols: none of TLSv1.3 is safe and allowed by ssl.protocol"},
		{map[string]string{"ssl.enabled.protocols": "TLSv1.2", "ssl.cipher.suites": "TLS_AES_128_GCM_SHA256"}, 0, 0, "none of the cipher suites belongs to a version in ssl.enabled.protocols"},
	} {
		s, err := tlsconfig.Parse(c.props)
		if c.want != "" {
			require.ErrorContains(t, err, c.want)
			continue
		}
		require.NoError(t, err, c.props)
		i, err := tlsconfig.Open(s, "a test", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.Equal(t, c.min, i.Client().MinVersion, c.props)
		require.Equal(t, c.max, i.Client().MaxVersion, c.props)
	}
}

// stores writes an identity and its authority in every form.
func stores(t *testing.T, ca, client *pki.Identity) map[string]map[string]string {
	encrypted, err := pkcs8.ConvertPrivateKeyToPKCS8(client.Key, []byte("key-pass"))
	require.NoError(t, err)
	encryptedPEM := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted}))
	sec1, err := x509.MarshalECPrivateKey(client.Key)
	require.NoError(t, err)
	sec1PEM := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))
	oneLine := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", " ") }
	return map[string]map[string]string{
		"PEM files": {
			"ssl.keystore.type": "PEM", "ssl.keystore.location": client.KeyStorePEM(t),
			"ssl.truststore.type": "PEM", "ssl.truststore.location": ca.TrustStorePEM(t),
		},
		"PEM texts": {
			"ssl.keystore.type": "PEM", "ssl.keystore.key": client.KeyPEM(t), "ssl.keystore.certificate.chain": client.CertPEM(),
			"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca.CertPEM(),
		},
		"PEM texts on one line": {
			"ssl.keystore.type": "PEM", "ssl.keystore.key": oneLine(client.KeyPEM(t)), "ssl.keystore.certificate.chain": oneLine(client.CertPEM()),
			"ssl.truststore.type": "PEM", "ssl.truststore.certificates": oneLine(ca.CertPEM()),
		},
		"encrypted PEM key": {
			"ssl.keystore.type": "PEM", "ssl.keystore.key": encryptedPEM, "ssl.key.password": "key-pass",
			"ssl.keystore.certificate.chain": client.CertPEM(), "ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca.CertPEM(),
		},
		"SEC 1 PEM key": {
			"ssl.keystore.type": "PEM", "ssl.keystore.key": sec1PEM, "ssl.keystore.certificate.chain": client.CertPEM(),
			"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca.CertPEM(),
		},
		"PKCS12": {
			"ssl.keystore.type": "PKCS12", "ssl.keystore.location": client.KeyStorePKCS12(t, "store-pass"), "ssl.keystore.password": "store-pass",
			"ssl.truststore.type": "PKCS12", "ssl.truststore.location": ca.TrustStorePKCS12(t, "trust-pass"), "ssl.truststore.password": "trust-pass",
		},
		"PKCS12 named JKS, as since Java 9": {
			"ssl.keystore.location": client.KeyStorePKCS12(t, "store-pass"), "ssl.keystore.password": "store-pass",
			"ssl.truststore.location": ca.TrustStorePKCS12(t, "trust-pass"), "ssl.truststore.password": "trust-pass",
		},
		"JKS with a password for the key": {
			"ssl.keystore.location": client.KeyStoreJKS(t, "store-pass", "key-pass"), "ssl.keystore.password": "store-pass", "ssl.key.password": "key-pass",
			"ssl.truststore.location": ca.TrustStoreJKS(t, "trust-pass"), "ssl.truststore.password": "trust-pass",
		},
		"JKS trust store without its password": {
			"ssl.keystore.location": client.KeyStoreJKS(t, "store-pass", "store-pass"), "ssl.keystore.password": "store-pass",
			"ssl.truststore.location": ca.TrustStoreJKS(t, "trust-pass"),
		},
	}
}

// serve echoes over TLS and wants a certificate of ca.
func serve(t *testing.T, ca, identity *pki.Identity) string {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	certificate := tls.Certificate{PrivateKey: identity.Key}
	for _, c := range identity.Chain() {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

func tcp(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// echo connects, sends and receives.
func echo(d tlsconfig.Connect, address string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := d(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		return nil, err
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

func dialer(t *testing.T, props map[string]string) tlsconfig.Connect {
	t.Helper()
	s, err := tlsconfig.Parse(props)
	require.NoError(t, err)
	i, err := tlsconfig.Open(s, "a test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return i.Dialer(tcp, 10*time.Second)
}

func TestEveryKindOfStoreOpensAConnectionWithBothCertificates(t *testing.T) {
	ca := pki.NewAuthority(t, "ca")
	address := serve(t, ca, ca.Issue(t, "server", "127.0.0.1"))
	for name, props := range stores(t, ca, ca.Issue(t, "client")) {
		t.Run(name, func(t *testing.T) {
			_, err := echo(dialer(t, props), address)
			require.NoError(t, err)
		})
	}
}

func TestServersThatAreNotTheRightOnesAreRefused(t *testing.T) {
	ca, stranger := pki.NewAuthority(t, "ca"), pki.NewAuthority(t, "stranger")
	client := ca.Issue(t, "client")
	base := map[string]string{
		"ssl.keystore.type": "PEM", "ssl.keystore.location": client.KeyStorePEM(t),
		"ssl.truststore.type": "PEM", "ssl.truststore.location": ca.TrustStorePEM(t),
	}
	with := func(key, value string) map[string]string {
		props := map[string]string{key: value}
		for k, v := range base {
			if k != key {
				props[k] = v
			}
		}
		return props
	}
	good := serve(t, ca, ca.Issue(t, "server", "127.0.0.1"))
	elsewhere := serve(t, ca, ca.Issue(t, "server", "broker.example.org"))
	plain, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	require.NoError(t, err)
	t.Cleanup(func() { plain.Close() })
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			conn.Close()
		}
	}()
	for _, c := range []struct {
		name, address string
		props         map[string]string
		want, advice  string // both empty: it works
	}{
		{"right", good, base, "", ""},
		{"unknown authority", serve(t, ca, stranger.Issue(t, "server", "127.0.0.1")), base, "certificate signed by unknown authority", "ssl.truststore.location"},
		{"other name", elsewhere, base, "127.0.0.1", "ssl.endpoint.identification.algorithm"},
		{"other name, not checked", elsewhere, with("ssl.endpoint.identification.algorithm", ""), "", ""},
		{"unknown authority with names not checked", serve(t, ca, stranger.Issue(t, "server", "127.0.0.1")), with("ssl.endpoint.identification.algorithm", ""), "unknown authority", "ssl.truststore"},
		{"expired", serve(t, ca, ca.IssueUntil(t, time.Now().Add(-time.Hour), "server", "127.0.0.1")), base, "expired", "renew"},
		{"common name, with its host", strings.Replace(serve(t, ca, ca.Issue(t, "localhost")), "127.0.0.1", "localhost", 1), base, "", ""},
		{"common name of another", strings.Replace(serve(t, ca, ca.Issue(t, "example.org")), "127.0.0.1", "localhost", 1), base, "", "ssl.endpoint"},
		{"no TLS at all", plain.Addr().String(), base, "first record does not look like a TLS handshake", "does not speak TLS"},
		{"no client certificate", good, map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": ca.TrustStorePEM(t)}, "certificate required", "refuses this client's certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := echo(dialer(t, c.props), c.address)
			if c.want == "" && c.advice == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			var handshake *tlsconfig.HandshakeError
			if !errors.As(err, &handshake) { // TLS 1.3: refused at the first read
				advice, refused := tlsconfig.Refused(err)
				require.True(t, refused, err)
				require.Contains(t, advice, c.advice)
				return
			}
			require.Contains(t, handshake.Advice(), c.advice)
			require.True(t, handshake.Final())
		})
	}
}

func TestAServerThatNeverAnswersEndsTheHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	i, err := tlsconfig.Open(tlsconfig.Settings{}, "a test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = echo(i.Dialer(tcp, 100*time.Millisecond), l.Addr().String())
	require.ErrorContains(t, err, "did not answer the TLS handshake in time")
	var handshake *tlsconfig.HandshakeError
	require.ErrorAs(t, err, &handshake)
	require.False(t, handshake.Final())
}
