package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// maxBcryptCost keeps one wrong line in the users file from costing minutes of work per request.
const maxBcryptCost = 16

// Users are names with passwords: bcrypt hashes of an htpasswd file, or the plain
// texts of Kafka Connect's properties file. It is never changed after it was read.
type Users struct {
	hashes map[string][]byte
	plain  map[string][sha256.Size]byte
}

// ReadUsers reads an htpasswd file (`htpasswd -B`): lines of name:hash with bcrypt
// hashes. Empty lines and those that begin with # do not count.
func ReadUsers(file string) (Users, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Users{}, err
	}
	u, err := ParseUsers(string(text))
	if err != nil {
		return u, fmt.Errorf("%s: %w", file, err)
	}
	return u, nil
}

// ParseUsers reads the text of an htpasswd file. Its errors name lines and no hashes.
func ParseUsers(text string) (Users, error) {
	u := Users{hashes: map[string][]byte{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return Users{}, fmt.Errorf("line %d is not of the form name:hash", n)
		}
		if _, twice := u.hashes[name]; twice {
			return Users{}, fmt.Errorf("line %d: the user %s is there twice", n, name)
		}
		cost, err := bcrypt.Cost([]byte(hash))
		switch {
		case err != nil:
			return Users{}, fmt.Errorf("line %d: the hash of %s is not bcrypt; make it with `htpasswd -B`", n, name)
		case cost > maxBcryptCost:
			return Users{}, fmt.Errorf("line %d: the hash of %s has cost %d; at most %d can be checked in time", n, name, cost, maxBcryptCost)
		}
		u.hashes[name] = []byte(hash)
	}
	if len(u.hashes) == 0 {
		return Users{}, fmt.Errorf("it names no user, so nobody could enter")
	}
	return u, nil
}

// PlainUsers are the users of a properties file of Kafka Connect: user=password.
// Unlike there, an empty file lets nobody in.
func PlainUsers(passwords map[string]string) (Users, error) {
	if len(passwords) == 0 {
		return Users{}, fmt.Errorf("it names no user; Kafka Connect would let everybody in, this worker lets in nobody")
	}
	u := Users{plain: map[string][sha256.Size]byte{}}
	for name, password := range passwords {
		u.plain[name] = sha256.Sum256([]byte(password))
	}
	return u, nil
}

// dummyHash is checked for users that do not exist, so that they take as long as others.
var dummyHash = sync.OnceValue(func() []byte {
	hash, _ := bcrypt.GenerateFromPassword([]byte("nobody"), bcrypt.DefaultCost) // fails for long passwords only
	return hash
})

// maxRemembered bounds how many proved passwords are remembered.
const maxRemembered = 1024

// passwords checks passwords. A bcrypt check costs a twentieth of a second or more
// of a processor: a password that was right is remembered (as a keyed hash, in
// memory only), and wrong ones use at most half of the processors.
type passwords struct {
	key   []byte
	turns chan struct{}

	mu     sync.Mutex
	proved map[[sha256.Size]byte]bool
}

func newPasswords() *passwords {
	p := &passwords{key: make([]byte, sha256.Size), turns: make(chan struct{}, max(1, runtime.NumCPU()/2)), proved: map[[sha256.Size]byte]bool{}}
	_, _ = rand.Read(p.key) // never fails
	return p
}

// check tells whether the password is the user's.
func (p *passwords) check(ctx context.Context, u Users, name, password string) (bool, error) {
	if want, ok := u.plain[name]; ok {
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(want[:], got[:]) == 1, nil
	}
	if u.hashes == nil {
		return false, nil
	}
	hash, exists := u.hashes[name]
	if !exists {
		hash = dummyHash()
	}
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%d %s%s%s", len(name), name, hash, password) // the hash: a changed password is proved anew
	id := [sha256.Size]byte(mac.Sum(nil))
	if p.remembers(id) {
		return true, nil
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return false, ErrUnavailable
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !exists {
		return false, nil
	}
	p.remember(id)
	return true, nil
}

func (p *passwords) remembers(id [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proved[id]
}

func (p *passwords) remember(id [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.proved) >= maxRemembered {
		clear(p.proved)
	}
	p.proved[id] = true
}
