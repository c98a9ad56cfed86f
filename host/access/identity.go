package access

import (
	"crypto/x509"
	"errors"
	"fmt"
)

// Role is what an identity may do with a connector. A higher one includes the lower ones.
type Role int

// The roles. What each allows stands in host/rest, one line per request.
const (
	// Nobody may do nothing.
	Nobody Role = iota
	// Viewer may look; secrets are hidden.
	Viewer
	// Operator may also pause, resume, stop and restart, and check configurations.
	Operator
	// Admin may also create, change and delete, and sees configurations as they were written.
	Admin
)

var roleNames = [...]string{"nobody", "viewer", "operator", "admin"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads viewer, operator or admin.
func ParseRole(text string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if text == roleNames[r] {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("%q is no role; roles are viewer, operator and admin", text)
}

// Kind says how an identity was proved.
type Kind string

// The kinds. Anonymous is everybody where nobody has to prove anything.
const (
	Anonymous   Kind = "anonymous"
	User        Kind = "user"        // a name with a password
	Token       Kind = "token"       // a claim of a bearer token, usually sub
	Certificate Kind = "certificate" // the subject of a client certificate (RFC 2253)
)

// Identity is who asks.
type Identity struct {
	Kind   Kind
	Name   string
	Groups []string // of a token
}

// String is the form in the file of roles and in the audit log, such as user:alice.
func (i Identity) String() string {
	if i.Kind == Anonymous || i.Kind == "" {
		return string(Anonymous)
	}
	return string(i.Kind) + ":" + i.Name
}

// Credentials are what a client shows. It may show several; a password or token
// counts before a certificate.
type Credentials struct {
	User, Password string
	HasPassword    bool
	Token          string
	// Certificate is one that the handshake has verified; nil without.
	Certificate *x509.Certificate
}

// The reasons not to let somebody in. The texts are for the log; what the
// client is told is the same for all but ErrUnavailable.
var (
	ErrNothingShown = errors.New("no credentials were shown")
	ErrRefused      = errors.New("the credentials are wrong")
	// ErrUnavailable means that it cannot be decided now; trying again may help.
	ErrUnavailable = errors.New("the credentials cannot be checked now")
)
