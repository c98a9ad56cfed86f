// Package pki makes certificates for tests: an authority, and keys that it signs, as PEM, PKCS12 and JKS.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"
)

// Identity is a key with its certificate.
type Identity struct {
	Key    *ecdsa.PrivateKey
	Cert   *x509.Certificate
	Issuer *Identity // nil for an authority
}

// NewAuthority makes an authority that signs itself.
func NewAuthority(t testing.TB, name string) *Identity {
	t.Helper()
	return issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
}

// Issue signs a certificate of a server or client. Hosts are names and addresses; without any, the certificate has
// only its common name.
func (id *Identity) Issue(t testing.TB, commonName string, hosts ...string) *Identity {
	t.Helper()
	return id.IssueUntil(t, time.Now().Add(24*time.Hour), commonName, hosts...)
}

// IssueUntil is Issue with an end.
func (id *Identity) IssueUntil(t testing.TB, end time.Time, commonName string, hosts ...string) *Identity {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: commonName}, NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return issue(t, template, id)
}

func issue(t testing.TB, template *x509.Certificate, issuer *Identity) *Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	require.NoError(t, err)
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(48 * time.Hour)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &Identity{Key: key, Cert: cert, Issuer: issuer}
}

// Chain is the certificate and those of its issuers.
func (id *Identity) Chain() (certs []*x509.Certificate) {
	for ; id != nil; id = id.Issuer {
		certs = append(certs, id.Cert)
	}
	return certs
}

// CertPEM is the chain as PEM.
func (id *Identity) CertPEM() string {
	var out bytes.Buffer
	for _, c := range id.Chain() {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return out.String()
}

// KeyPEM is the private key as PEM, in PKCS#8.
func (id *Identity) KeyPEM(t testing.TB) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: id.pkcs8(t)}))
}

func (id *Identity) pkcs8(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	require.NoError(t, err)
	return der
}

// KeyStorePEM writes key and chain into one PEM file.
func (id *Identity) KeyStorePEM(t testing.TB) string {
	t.Helper()
	return write(t, "keystore.pem", []byte(id.KeyPEM(t)+id.CertPEM()))
}

// TrustStorePEM writes the certificate into a PEM file.
func (id *Identity) TrustStorePEM(t testing.TB) string {
	t.Helper()
	return write(t, "truststore.pem", []byte(id.CertPEM()))
}

// KeyStorePKCS12 writes key and chain into a PKCS12 file.
func (id *Identity) KeyStorePKCS12(t testing.TB, password string) string {
	t.Helper()
	data, err := pkcs12.Modern.Encode(id.Key, id.Cert, id.Chain()[1:], password)
	require.NoError(t, err)
	return write(t, "keystore.p12", data)
}

// TrustStorePKCS12 writes the certificate into a PKCS12 file.
func (id *Identity) TrustStorePKCS12(t testing.TB, password string) string {
	t.Helper()
	data, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{id.Cert}, password)
	require.NoError(t, err)
	return write(t, "truststore.p12", data)
}

// KeyStoreJKS writes key and chain into a file of Java's own format, the key with a password of its own.
func (id *Identity) KeyStoreJKS(t testing.TB, password, keyPassword string) string {
	t.Helper()
	entry := keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: id.pkcs8(t)}
	for _, c := range id.Chain() {
		entry.CertificateChain = append(entry.CertificateChain, keystore.Certificate{Type: "X509", Content: c.Raw})
	}
	ks := keystore.New()
	require.NoError(t, ks.SetPrivateKeyEntry("client", entry, []byte(keyPassword)))
	return writeJKS(t, ks, "keystore.jks", password)
}

// TrustStoreJKS writes the certificate into a file of Java's own format.
func (id *Identity) TrustStoreJKS(t testing.TB, password string) string {
	t.Helper()
	ks := keystore.New()
	require.NoError(t, ks.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{
		CreationTime: time.Now(), Certificate: keystore.Certificate{Type: "X509", Content: id.Cert.Raw},
	}))
	return writeJKS(t, ks, "truststore.jks", password)
}

func writeJKS(t testing.TB, ks keystore.KeyStore, name, password string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, ks.Store(&out, []byte(password)))
	return write(t, name, out.Bytes())
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}
