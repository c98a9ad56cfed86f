package tlsconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func file(name string) string { return filepath.Join("testdata", name) }

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(file(name))
	require.NoError(t, err)
	return string(data)
}

// stores are the same key and certificate in every form that Kafka knows, written by keytool and OpenSSL.
func stores(t *testing.T) (keys, trusts map[string]map[string]string) {
	const password = "changeit"
	keys = map[string]map[string]string{
		"JKS":                     {"ssl.keystore.location": file("key.jks"), "ssl.keystore.password": password, "ssl.key.password": "keychangeit"},
		"PKCS12":                  {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": file("key.p12"), "ssl.keystore.password": password},
		"PKCS12, type left alone": {"ssl.keystore.location": file("key.p12"), "ssl.keystore.password": password, "ssl.key.password": password},
		"PEM file":                {"ssl.keystore.type": "PEM", "ssl.keystore.location": file("both.pem"), "ssl.key.password": password},
		"PEM text":                {"ssl.keystore.type": "PEM", "ssl.keystore.key": text(t, "key.pem"), "ssl.keystore.certificate.chain": text(t, "certificate.pem")},
	}
	trusts = map[string]map[string]string{
		"JKS":              {"ssl.truststore.location": file("trust.jks"), "ssl.truststore.password": password},
		"JKS, no password": {"ssl.truststore.location": file("trust.jks")},
		"PKCS12":           {"ssl.truststore.type": "PKCS12", "ssl.truststore.location": file("trust.p12"), "ssl.truststore.password": password},
		"PEM file":         {"ssl.truststore.type": "PEM", "ssl.truststore.location": file("certificate.pem")},
		"PEM text":         {"ssl.truststore.type": "pem", "ssl.truststore.certificates": text(t, "certificate.pem")},
	}
	return keys, trusts
}

func identity(t *testing.T, props ...map[string]string) *Identity {
	t.Helper()
	all := map[string]string{}
	for _, p := range props {
		for k, v := range p {
			all[k] = v
		}
	}
	s, err := Parse(all)
	require.NoError(t, err)
	i, err := Open(s, "a test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return i
}

// handshake returns the errors of the two sides; nil, nil means that a byte went each way.
func handshake(t *testing.T, server, client *Identity, name string) (serverErr, clientErr error) {
	t.Helper()
	conf, err := server.Server()
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	require.NoError(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = io.CopyN(c, c, 1)
			_ = c.Close()
		}
		done <- err
	}()
	conf = client.Client()
	conf.ServerName = name
	if own := conf.Certificates; len(own) > 0 { // shown even when the server names other authorities
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.SetDeadline(time.Now().Add(10*time.Second)))
	c := tls.Client(raw, conf)
	if _, clientErr = c.Write([]byte{7}); clientErr == nil {
		_, clientErr = io.ReadFull(c, make([]byte, 1))
	}
	_ = raw.Close()
	return <-done, clientErr
}

func TestEveryKindOfStoreServesAndIsTrusted(t *testing.T) {
	keys, trusts := stores(t)
	for keyName, key := range keys {
		for trustName, trust := range trusts {
			t.Run(keyName+" and "+trustName, func(t *testing.T) {
				both := identity(t, key, trust, map[string]string{"ssl.client.auth": "required"})
				serverErr, clientErr := handshake(t, both, both, "127.0.0.1")
				require.NoError(t, serverErr)
				require.NoError(t, clientErr)
			})
		}
	}
}

func TestClientCertificates(t *testing.T) {
	keys, trusts := stores(t)
	trust := trusts["PEM file"]
	stranger := write(t, t.TempDir(), "stranger", time.Hour)
	for name, c := range map[string]struct {
		auth   string
		client map[string]string
		ok     bool
	}{
		"none needed, none shown":       {"none", nil, true},
		"may be shown, none shown":      {"requested", nil, true},
		"may be shown, a good one":      {"requested", keys["PKCS12"], true},
		"may be shown, a stranger's":    {"requested", stranger, false},
		"must be shown, none shown":     {"required", nil, false},
		"must be shown, a good one":     {"required", keys["JKS"], true},
		"must be shown, a stranger's":   {"required", stranger, false},
		"none needed, a stranger's one": {"none", stranger, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := identity(t, keys["PEM file"], trust, map[string]string{"ssl.client.auth": c.auth})
			serverErr, clientErr := handshake(t, server, identity(t, trust, c.client), "localhost")
			if c.ok {
				require.NoError(t, serverErr)
				require.NoError(t, clientErr)
			} else {
				require.Error(t, serverErr)
				require.Error(t, clientErr)
			}
		})
	}
}

func TestHostNamesAreCheckedUnlessSwitchedOff(t *testing.T) {
	keys, trusts := stores(t)
	server := identity(t, keys["PEM file"])
	_, err := handshake(t, server, identity(t, trusts["JKS"]), "elsewhere.example")
	require.ErrorContains(t, err, "elsewhere.example")
	off := map[string]string{"ssl.endpoint.identification.algorithm": ""}
	_, err = handshake(t, server, identity(t, trusts["JKS"], off), "elsewhere.example")
	require.NoError(t, err)
	_, err = handshake(t, server, identity(t, off), "localhost")
	require.ErrorContains(t, err, "unknown authority", "the chain is checked all the same")
}

// write makes a new self-signed key and certificate in PEM, as key.pem and certificate.pem of the folder.
func write(t *testing.T, dir, name string, life time.Duration) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	var both bytes.Buffer
	require.NoError(t, pem.Encode(&both, &pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	require.NoError(t, pem.Encode(&both, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	path := filepath.Join(dir, "both.pem")
	require.NoError(t, os.WriteFile(path+".new", both.Bytes(), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": path}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := Parse(write(t, dir, "first", time.Hour))
	require.NoError(t, err)
	i, err := Open(s, "certificates of listeners", slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	shown := func() string {
		conf, err := i.Server()
		require.NoError(t, err)
		conf, err = conf.GetConfigForClient(nil)
		require.NoError(t, err)
		return conf.Certificates[0].Leaf.Subject.CommonName
	}
	require.Equal(t, "first", shown())
	write(t, dir, "second", time.Hour)
	require.Eventually(t, func() bool { return shown() == "second" }, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "both.pem"), []byte("no PEM"), 0o600))
	require.Eventually(t, func() bool {
		require.Equal(t, "second", shown())
		return bytes.Contains(log.Bytes(), []byte("it is no PEM text"))
	}, 20*time.Second, 20*time.Millisecond)
	write(t, dir, "third", time.Hour)
	require.Eventually(t, func() bool { return shown() == "third" }, 20*time.Second, 20*time.Millisecond)
}

func TestWrongSettingsNameTheKeyAndNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		props map[string]string
		want  string
	}{
		"a type":                {map[string]string{"ssl.keystore.type": "BKS"}, "ssl.keystore.type: \"BKS\" is not known"},
		"text in JKS":           {map[string]string{"ssl.truststore.certificates": "x"}, "ssl.truststore.type: must be PEM"},
		"text and file":         {map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": "x", "ssl.truststore.location": "y"}, "ssl.truststore.location"},
		"half a key":            {map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": "x"}, "ssl.keystore.key: and ssl.keystore.certificate.chain"},
		"no password":           {map[string]string{"ssl.keystore.location": file("key.jks")}, "ssl.keystore.password: is needed"},
		"a wrong password":      {map[string]string{"ssl.keystore.location": file("key.jks"), "ssl.keystore.password": "hunter22"}, "cannot be used as a JKS keystore"},
		"a wrong PKCS12":        {map[string]string{"ssl.keystore.location": file("key.p12"), "ssl.keystore.password": "hunter22"}, "cannot be used"},
		"a wrong key password":  {map[string]string{"ssl.keystore.location": file("key.jks"), "ssl.keystore.password": "changeit", "ssl.key.password": "hunter22"}, "ssl.key.password"},
		"an encrypted PEM":      {map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": file("both.pem")}, "give ssl.key.password"},
		"another's certificate": {map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": mustKey(t), "ssl.keystore.certificate.chain": text(t, "certificate.pem")}, "does not belong"},
		"no such file":          {map[string]string{"ssl.truststore.location": "/no/such"}, "ssl.truststore.location: the file cannot be read"},
		"an empty trust store":  {map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": "/dev/null"}, "no trusted certificate"},
		"a version":             {map[string]string{"ssl.enabled.protocols": "TLSv9"}, "ssl.enabled.protocols"},
		"unsafe versions":       {map[string]string{"ssl.enabled.protocols": "TLSv1,TLSv1.1"}, "safe"},
		"a cipher suite":        {map[string]string{"ssl.cipher.suites": "TLS_RSA_WITH_RC4_128_SHA"}, "ssl.cipher.suites"},
		"an identification":     {map[string]string{"ssl.endpoint.identification.algorithm": "ldap"}, "ssl.endpoint.identification.algorithm"},
		"client auth":           {map[string]string{"ssl.client.auth": "yes"}, "none, requested or required"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(c.props)
			if err == nil {
				_, err = Open(s, "a test", slog.New(slog.DiscardHandler))
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter22")
			var wrong *SettingError
			require.ErrorAs(t, err, &wrong)
		})
	}
}

func mustKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func TestListenersNeedAKeyAndTheirOwnTrust(t *testing.T) {
	keys, trusts := stores(t)
	_, err := identity(t, trusts["JKS"]).Server()
	require.ErrorContains(t, err, "ssl.keystore.location: is missing")
	_, err = identity(t, keys["JKS"], map[string]string{"ssl.client.auth": "required"}).Server()
	require.ErrorContains(t, err, "ssl.truststore.location: is missing")
}

func TestVersionsAndSuites(t *testing.T) {
	s, err := Parse(map[string]string{"ssl.enabled.protocols": "TLSv1, TLSv1.2", "ssl.cipher.suites": "TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"})
	require.NoError(t, err)
	require.Equal(t, uint16(tls.VersionTLS12), s.minVersion)
	require.Equal(t, uint16(tls.VersionTLS12), s.maxVersion)
	require.Len(t, s.suites, 2)
	s, err = Parse(nil)
	require.NoError(t, err)
	require.Equal(t, uint16(tls.VersionTLS13), s.maxVersion)
	require.False(t, s.HasKey())
}

// No bytes in the place of a store do harm.
func FuzzStores(f *testing.F) {
	for _, name := range []string{"key.jks", "key.p12", "both.pem", "trust.jks", "trust.p12"} {
		data, err := os.ReadFile(file(name))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "store")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		for _, kind := range []string{"JKS", "PEM"} {
			s := store{role: "keystore", kind: kind, location: path, password: "changeit", keyPassword: "keychangeit"}
			_, _ = s.certificates()
			s.role = "truststore"
			_, _ = s.pool()
		}
	})
}
