package access

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/tailrace/tailrace/host/reload"
)

// Options are the ways to enter; at least one must be given.
type Options struct {
	// UsersFile is an htpasswd file; empty for none.
	UsersFile string
	// ConnectUsersFile is a properties file of Kafka Connect's basic authentication, read by ReadConnectUsers.
	ConnectUsersFile string
	ReadConnectUsers func(file string) (map[string]string, error)
	// Tokens is nil when no tokens are taken.
	Tokens *TokenOptions
	// Certificates lets in who has shown a certificate that the listener trusts.
	Certificates bool
	// RolesFile is the file of roles; without one everybody who is let in is admin.
	RolesFile string
	Logger    *slog.Logger
}

// Gate decides who is let in and with which rights. Files are read again when they
// change. It is safe for several goroutines.
type Gate struct {
	users        []*reload.Value[Users]
	passwords    *passwords
	tokens       *tokens // may be nil
	certificates bool
	policy       *reload.Value[Policy] // nil: Everything
}

// Open reads the files. The error names the setting.
func Open(o Options) (*Gate, error) {
	g := &Gate{passwords: newPasswords(), certificates: o.Certificates}
	if err := g.openUsers("rest.auth.users.file", o.UsersFile, o.Logger, func() (Users, error) { return ReadUsers(o.UsersFile) }); err != nil {
		return nil, err
	}
	err := g.openUsers("rest.extension.classes", o.ConnectUsersFile, o.Logger, func() (Users, error) {
		passwords, err := o.ReadConnectUsers(o.ConnectUsersFile)
		if err != nil {
			return Users{}, err
		}
		u, err := PlainUsers(passwords)
		if err != nil {
			return u, fmt.Errorf("%s: %w", o.ConnectUsersFile, err)
		}
		return u, nil
	})
	if err != nil {
		return nil, err
	}
	if o.Tokens != nil {
		if g.tokens, err = newTokens(*o.Tokens); err != nil {
			return nil, err
		}
	}
	if o.RolesFile != "" {
		g.policy, err = reload.Open(reload.Options{What: "roles", Files: []string{o.RolesFile}, Logger: o.Logger}, func() (Policy, error) { return ReadPolicy(o.RolesFile) })
		if err != nil {
			return nil, fmt.Errorf("rest.auth.roles.file: %w", err)
		}
	}
	return g, nil
}

func (g *Gate) openUsers(key, file string, logger *slog.Logger, read func() (Users, error)) error {
	if file == "" {
		return nil
	}
	users, err := reload.Open(reload.Options{What: "users", Files: []string{file}, Logger: logger}, read)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	g.users = append(g.users, users)
	return nil
}

// Asks are the ways to enter that a client is told of: Basic, Bearer.
func (g *Gate) Asks() (basic, bearer bool) { return len(g.users) > 0, g.tokens != nil }

// Enter turns what a client shows into its identity, or says why not. The
// error is for the log; it is one of the Err values, possibly with a reason.
func (g *Gate) Enter(ctx context.Context, c Credentials) (Identity, error) {
	switch {
	case c.HasPassword:
		return g.enterWithPassword(ctx, c.User, c.Password)
	case c.Token != "":
		if g.tokens == nil {
			return Identity{}, fmt.Errorf("%w: no tokens are taken", ErrRefused)
		}
		return g.tokens.check(ctx, c.Token)
	case c.Certificate != nil && g.certificates:
		return Identity{Kind: Certificate, Name: Subject(c.Certificate)}, nil
	}
	return Identity{}, ErrNothingShown
}

func (g *Gate) enterWithPassword(ctx context.Context, name, password string) (Identity, error) {
	for _, users := range g.users {
		ok, err := g.passwords.check(ctx, users.Get(), name, password)
		if err != nil {
			return Identity{}, err
		}
		if ok {
			return Identity{Kind: User, Name: name}, nil
		}
	}
	return Identity{}, ErrRefused
}

// Subject is the name of a certificate's holder in the form of RFC 2253, such as CN=alice,O=Example.
func Subject(c *x509.Certificate) string { return c.Subject.String() }

// Rights are the roles of an identity, as the file of roles is now.
func (g *Gate) Rights(id Identity) Rights {
	if g.policy == nil {
		return Everything().Rights(id)
	}
	return g.policy.Get().Rights(id)
}
