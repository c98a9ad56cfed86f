package cluster

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // HmacMD5 is one of Java's algorithms; nobody gets it without asking
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/store"
)

// The headers of a signed request between workers (KIP-507, reference section 1.3).
const (
	HeaderSignature          = "X-Connect-Authorization"
	HeaderSignatureAlgorithm = "X-Connect-Request-Signature-Algorithm"
)

// hmacAlgorithm is one of the names under which Java knows a MAC.
type hmacAlgorithm struct {
	hash     func() hash.Hash
	keyBytes int // what Java's key generator makes without a size
}

var hmacAlgorithms = map[string]hmacAlgorithm{
	"hmacmd5":    {md5.New, 64},
	"hmacsha1":   {sha1.New, 64},
	"hmacsha224": {sha256.New224, 28},
	"hmacsha256": {sha256.New, 32},
	"hmacsha384": {sha512.New384, 48},
	"hmacsha512": {sha512.New, 64},
}

func algorithm(name string) (hmacAlgorithm, error) {
	a, ok := hmacAlgorithms[strings.ToLower(name)]
	if !ok {
		return a, fmt.Errorf("algorithm %q is not supported: use HmacSHA256, HmacSHA384 or HmacSHA512", name)
	}
	return a, nil
}

// KnownAlgorithm says whether a MAC of this name can be computed at all.
func KnownAlgorithm(name string) bool {
	_, err := algorithm(name)
	return err == nil
}

// NewSessionKey makes a random key. sizeBits 0 takes the algorithm's usual size.
func NewSessionKey(algorithmName string, sizeBits int, now time.Time) (store.SessionKey, error) {
	a, err := algorithm(algorithmName)
	if err != nil {
		return store.SessionKey{}, fmt.Errorf("inter.worker.key.generation.algorithm: %w", err)
	}
	size := a.keyBytes
	if sizeBits != 0 {
		size = (sizeBits + 7) / 8
	}
	if size < 5 || size > 1024 { // Java refuses less than 40 bits
		return store.SessionKey{}, fmt.Errorf("inter.worker.key.size: %d bits are not supported, use 40 to 8192", sizeBits)
	}
	key := make([]byte, size)
	_, _ = rand.Read(key) // never fails
	return store.SessionKey{Key: key, Algorithm: algorithmName, CreatedMillis: now.UnixMilli()}, nil
}

// KeyIsDue says that the leader must publish another session key: there is none,
// it is older than ttl, or it was made for other settings. A key from further in the future than ttl
// was made before a clock was set back, and would never grow old. ttl 0 means that keys do not grow old.
func KeyIsDue(current *store.SessionKey, algorithmName string, sizeBits int, ttl time.Duration, now time.Time) bool {
	if current == nil || current.Algorithm != algorithmName {
		return true
	}
	if sizeBits != 0 && len(current.Key) != (sizeBits+7)/8 {
		return true
	}
	age := now.Sub(time.UnixMilli(current.CreatedMillis))
	return ttl > 0 && age.Abs() >= ttl
}

// Sign gives the two headers of a request with this body.
func Sign(key store.SessionKey, algorithmName string, body []byte) (signature string, err error) {
	mac, err := signatureOf(key, algorithmName, body)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(mac), nil
}

func signatureOf(key store.SessionKey, algorithmName string, body []byte) ([]byte, error) {
	a, err := algorithm(algorithmName)
	if err != nil {
		return nil, fmt.Errorf("inter.worker.signature.algorithm: %w", err)
	}
	mac := hmac.New(a.hash, key.Key)
	_, _ = mac.Write(body) // never fails
	return mac.Sum(nil), nil
}

// Why a request between workers is refused. The texts are Kafka Connect's.
var (
	ErrSignatureMissing = errors.New("Internal request missing required signature")                                                            //nolint:staticcheck // Kafka Connect's text
	ErrSignatureInvalid = errors.New("Internal request contained invalid signature.")                                                          //nolint:revive,staticcheck // Kafka Connect's text
	ErrNoSessionKey     = errors.New("This worker is still starting up and has not been able to read a session key from the config topic yet") //nolint:staticcheck // Kafka Connect's text
)

// UnsupportedAlgorithmError is a signature made in a way that this worker does not accept.
type UnsupportedAlgorithmError struct{ Algorithm string }

func (e *UnsupportedAlgorithmError) Error() string {
	return fmt.Sprintf("This worker does not support the '%s' key signing algorithm used by other workers. "+
		"This worker is currently configured to use: the algorithms of inter.worker.verification.algorithms", e.Algorithm)
}

// Verify checks the headers of a request. It returns one of the errors above: the
// caller answers ErrSignatureMissing and *UnsupportedAlgorithmError with 400,
// ErrNoSessionKey with 503, ErrSignatureInvalid with 403.
func Verify(key *store.SessionKey, accepted []string, algorithmName, signature string, body []byte) error {
	if signature == "" || algorithmName == "" {
		return ErrSignatureMissing
	}
	if !slices.ContainsFunc(accepted, func(a string) bool { return strings.EqualFold(a, algorithmName) }) {
		return &UnsupportedAlgorithmError{algorithmName}
	}
	if key == nil {
		return ErrNoSessionKey
	}
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return ErrSignatureInvalid
	}
	want, err := signatureOf(*key, algorithmName, body)
	if err != nil {
		return &UnsupportedAlgorithmError{algorithmName}
	}
	if !hmac.Equal(given, want) {
		return ErrSignatureInvalid
	}
	return nil
}
