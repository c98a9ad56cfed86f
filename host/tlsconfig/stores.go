package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// maxStoreBytes bounds what is read as a store.
const maxStoreBytes = 16 << 20

// store says where keys or trusted certificates are: in a file, or as PEM text.
type store struct {
	role     string // keystore or truststore, as in the names of the settings
	kind     string // JKS, PKCS12 or PEM
	location string

	password, keyPassword  string
	keyPEM, certificatePEM string
}

func storeType(text string) string {
	if text == "" {
		return "JKS" // Kafka's default
	}
	return strings.ToUpper(text)
}

func (s store) empty() bool { return s.location == "" && s.keyPEM == "" && s.certificatePEM == "" }

func (s store) setting(name string) string { return "ssl." + s.role + "." + name }

// check finds what can be found without reading the file.
func (s store) check() error {
	inline := s.keyPEM != "" || s.certificatePEM != ""
	switch {
	case s.kind != "JKS" && s.kind != "PKCS12" && s.kind != "PEM":
		return &SettingError{Key: s.setting("type"), Reason: fmt.Sprintf("%q is not known; use PEM, PKCS12 or JKS", s.kind)}
	case inline && s.kind != "PEM":
		return &SettingError{Key: s.setting("type"), Reason: "must be PEM when certificates or keys are given as text"}
	case inline && s.location != "":
		return &SettingError{Key: s.setting("location"), Reason: "cannot be given together with certificates or keys as text; leave one out"}
	case s.role == "keystore" && inline && (s.keyPEM == "" || s.certificatePEM == ""):
		return &SettingError{Key: "ssl.keystore.key", Reason: "and ssl.keystore.certificate.chain are needed together"}
	case s.kind == "PEM" && s.password != "":
		return &SettingError{Key: s.setting("password"), Reason: "has no meaning for PEM; the password of a PEM key is ssl.key.password"}
	case s.role == "keystore" && s.location != "" && s.kind != "PEM" && s.password == "":
		return &SettingError{Key: s.setting("password"), Reason: "is needed for a key store of type " + s.kind}
	}
	return nil
}

// files are the files that the store is read from.
func (s store) files() []string {
	if s.location == "" {
		return nil
	}
	return []string{s.location}
}

func (s store) read() ([]byte, error) {
	info, err := os.Stat(s.location)
	switch {
	case err != nil:
		return nil, &SettingError{Key: s.setting("location"), Reason: "the file cannot be read", Err: err}
	case info.Size() > maxStoreBytes:
		return nil, &SettingError{Key: s.setting("location"), Reason: fmt.Sprintf("%s is larger than %d bytes; it is no %s store", s.location, maxStoreBytes, s.kind)}
	}
	data, err := os.ReadFile(s.location)
	if err != nil {
		return nil, &SettingError{Key: s.setting("location"), Reason: "the file cannot be read", Err: err}
	}
	return data, nil
}

// wrong is an error about the contents of the store.
func (s store) wrong(err error) error {
	where := s.location
	key := s.setting("location")
	if where == "" {
		where, key = "the PEM text", s.setting("certificates")
		if s.role == "keystore" {
			key = "ssl.keystore.certificate.chain"
		}
	}
	return &SettingError{Key: key, Reason: where + " cannot be used as a " + s.kind + " " + s.role, Err: err}
}

// certificates are the keys with their chains. Java's stores of types JKS and PKCS12
// are told apart by their first bytes, as Java does, so that a wrong type is no obstacle.
func (s store) certificates() ([]tls.Certificate, error) {
	if s.empty() {
		return nil, nil
	}
	keyText, chainText := []byte(s.keyPEM), []byte(s.certificatePEM)
	if s.location != "" {
		data, err := s.read()
		if err != nil {
			return nil, err
		}
		if s.kind != "PEM" {
			certificates, err := s.fromJava(data)
			if err != nil {
				return nil, s.wrong(err)
			}
			return certificates, nil
		}
		keyText, chainText = data, data
	}
	certificate, err := fromPEM(keyText, chainText, s.keyPassword)
	if err != nil {
		return nil, s.wrong(err)
	}
	return []tls.Certificate{certificate}, nil
}

func (s store) fromJava(data []byte) ([]tls.Certificate, error) {
	if isJKS(data) {
		return s.fromJKS(data)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, s.password)
	if err != nil {
		return nil, err
	}
	raw := [][]byte{leaf.Raw}
	for _, c := range chain {
		raw = append(raw, c.Raw)
	}
	certificate, err := pair(key, raw)
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{certificate}, nil
}

func (s store) fromJKS(data []byte) ([]tls.Certificate, error) {
	ks, err := loadJKS(data, s.password)
	if err != nil {
		return nil, err
	}
	password := s.keyPassword
	if password == "" {
		password = s.password
	}
	var certificates []tls.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("the key %s cannot be opened with ssl.key.password, or the store's password when that is unset: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("the key %s: %w", alias, err)
		}
		var raw [][]byte
		for _, c := range entry.CertificateChain {
			raw = append(raw, c.Content)
		}
		certificate, err := pair(key, raw)
		if err != nil {
			return nil, fmt.Errorf("the key %s: %w", alias, err)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, errors.New("it holds no private key")
	}
	return certificates, nil
}

// pool are the trusted certificates; nil when the store is empty.
func (s store) pool() (*x509.CertPool, error) {
	if s.empty() {
		return nil, nil //nolint:nilnil // nil means the system's authorities, as in crypto/tls
	}
	data := []byte(s.certificatePEM)
	if s.location != "" {
		var err error
		if data, err = s.read(); err != nil {
			return nil, err
		}
	}
	certificates, err := s.trusted(data)
	if err != nil {
		return nil, s.wrong(err)
	}
	if len(certificates) == 0 {
		return nil, s.wrong(errors.New("it holds no trusted certificate"))
	}
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool, nil
}

func (s store) trusted(data []byte) ([]*x509.Certificate, error) {
	switch {
	case s.kind == "PEM":
		blocks, err := blocksOf(data, "CERTIFICATE")
		if err != nil {
			return nil, err
		}
		return parseAll(blocks)
	case !isJKS(data):
		certificates, err := pkcs12.DecodeTrustStore(data, s.password)
		if err != nil {
			if _, leaf, _, keyErr := pkcs12.DecodeChain(data, s.password); keyErr == nil {
				return []*x509.Certificate{leaf}, nil // Java trusts the owner of a key in a trust store
			}
		}
		return certificates, err
	}
	ks, err := loadJKS(data, s.password)
	if err != nil {
		return nil, err
	}
	var raw [][]byte
	for _, alias := range ks.Aliases() {
		if entry, err := ks.GetTrustedCertificateEntry(alias); err == nil {
			raw = append(raw, entry.Certificate.Content)
		} else if chain, err := ks.GetPrivateKeyEntryCertificateChain(alias); err == nil && len(chain) > 0 {
			raw = append(raw, chain[0].Content) // as above
		}
	}
	return parseAll(raw)
}

func parseAll(raw [][]byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for i, der := range raw {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// fromPEM reads a PKCS 8 key, which may be encrypted (KIP-651), or one of the older forms, and its chain.
func fromPEM(keyText, chainText []byte, password string) (tls.Certificate, error) {
	chain, err := blocksOf(chainText, "CERTIFICATE")
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("it holds no certificate")
	}
	for keyText = withLines(keyText); ; {
		var block *pem.Block
		if block, keyText = pem.Decode(keyText); block == nil {
			return tls.Certificate{}, errors.New("it holds no private key")
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := parseKey(block, password)
		if err != nil {
			return tls.Certificate{}, err
		}
		return pair(key, chain)
	}
}

func parseKey(block *pem.Block, password string) (crypto.PrivateKey, error) {
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, errors.New("its key is encrypted; give ssl.key.password")
		}
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("its key cannot be decrypted with ssl.key.password: %w", err)
		}
		return key, nil
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("its key is encrypted in an old, unsafe form; convert it with `openssl pkcs8 -topk8`")
		}
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	default:
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	}
}

// pemMark is the first or last line of a block.
var pemMark = regexp.MustCompile(`[ \t]*(-----(?:BEGIN|END) [A-Z0-9 ]+-----)[ \t]*`)

// withLines puts the marks of PEM on lines of their own: in a properties file the line ends are often lost or turned into
// spaces, which Kafka accepts and encoding/pem does not.
func withLines(text []byte) []byte { return pemMark.ReplaceAll(text, []byte("\n$1\n")) }

// ReadPrivateKey reads a private key from a PEM file, with its password when it is
// encrypted. setting is the name of the key that holds the path, for errors.
func ReadPrivateKey(setting, path, password string) (crypto.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &SettingError{Key: setting, Reason: "the file cannot be read", Err: err}
	}
	for data = withLines(data); ; {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, &SettingError{Key: setting, Reason: path + " holds no private key in PEM"}
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			key, err := parseKey(block, password)
			if err != nil {
				return nil, &SettingError{Key: setting, Reason: path, Err: err}
			}
			return key, nil
		}
	}
}

func blocksOf(text []byte, kind string) ([][]byte, error) {
	var out [][]byte
	for text = withLines(text); ; {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == kind {
			out = append(out, block.Bytes)
		}
	}
	if len(out) == 0 && len(bytes.TrimSpace(text)) > 0 {
		return nil, errors.New("it is no PEM text with a " + kind)
	}
	return out, nil
}

// pair joins a key and its chain, and refuses those that do not belong together.
func pair(key crypto.PrivateKey, chain [][]byte) (tls.Certificate, error) {
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("the key has no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("keys of type %T cannot be used", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return tls.Certificate{}, errors.New("the private key does not belong to the first certificate")
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}
