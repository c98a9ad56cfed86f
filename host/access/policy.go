package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// grant gives a role on connectors to identities.
type grant struct {
	role       Role
	who        []string // user:NAME, token:NAME, group:NAME, certificate:SUBJECT, or * for all who are let in
	connectors []string // patterns, * standing for any text
}

// Policy says who has which role. The zero value gives nobody anything; see [Everything].
type Policy struct {
	grants []grant
}

// Everything gives everybody who is let in the role admin, as Kafka Connect does.
func Everything() Policy {
	return Policy{[]grant{{role: Admin, who: []string{"*"}, connectors: []string{"*"}}}}
}

// ReadPolicy reads a file of roles:
//
//	roles:
//	  - role: operator
//	    who: ["user:alice", "group:data"]
//	    connectors: ["orders-*"]   # all when it is left out
func ReadPolicy(file string) (Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Policy{}, err
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// ParsePolicy reads the text of a file of roles. Whatever it does not know is an error.
func ParsePolicy(text []byte) (Policy, error) {
	var file struct {
		Roles []struct {
			Role       string
			Who        []string
			Connectors []string
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Policy{}, fmt.Errorf("this is no file of roles: %w", err)
	}
	var p Policy
	for i, r := range file.Roles {
		role, err := ParseRole(r.Role)
		if err != nil {
			return Policy{}, fmt.Errorf("entry %d of roles: %w", i+1, err)
		}
		if len(r.Who) == 0 {
			return Policy{}, fmt.Errorf("entry %d of roles: who is missing", i+1)
		}
		for _, who := range r.Who {
			if err := checkWho(who); err != nil {
				return Policy{}, fmt.Errorf("entry %d of roles: %w", i+1, err)
			}
		}
		if r.Connectors == nil {
			r.Connectors = []string{"*"}
		}
		p.grants = append(p.grants, grant{role: role, who: r.Who, connectors: r.Connectors})
	}
	return p, nil
}

func checkWho(who string) error {
	kind, name, _ := strings.Cut(who, ":")
	known := []string{string(User), string(Token), "group", string(Certificate)}
	if who == "*" || slices.Contains(known, kind) && name != "" {
		return nil
	}
	return fmt.Errorf("%q is nobody; write user:NAME, token:NAME, group:NAME, certificate:SUBJECT, or * for everybody who is let in", who)
}

// Rights are the roles of one identity.
type Rights struct {
	grants []grant
}

// Rights finds the grants of an identity.
func (p Policy) Rights(id Identity) Rights {
	names := []string{"*", id.String()}
	for _, group := range id.Groups {
		names = append(names, "group:"+group)
	}
	var r Rights
	for _, g := range p.grants {
		if slices.ContainsFunc(g.who, func(who string) bool { return slices.Contains(names, who) }) {
			r.grants = append(r.grants, g)
		}
	}
	return r
}

// On is the role on one connector.
func (r Rights) On(connector string) Role {
	return r.highest(func(pattern string) bool { return matches(pattern, connector) })
}

// Everywhere is the role on all connectors, also those that do not exist yet.
func (r Rights) Everywhere() Role {
	return r.highest(func(pattern string) bool { return strings.Trim(pattern, "*") == "" && pattern != "" })
}

// Anywhere is the highest role on any connector.
func (r Rights) Anywhere() Role {
	return r.highest(func(string) bool { return true })
}

func (r Rights) highest(counts func(pattern string) bool) Role {
	role := Nobody
	for _, g := range r.grants {
		if g.role > role && slices.ContainsFunc(g.connectors, counts) {
			role = g.role
		}
	}
	return role
}

// matches compares a name with a pattern in which * stands for any text. It takes
// time in proportion to the product of the lengths, never more.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, last)
}
