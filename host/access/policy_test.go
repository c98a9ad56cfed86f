package access

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const rolesText = `
roles:
  - role: viewer
    who: ["*"]
  - role: operator
    who: ["user:alice", "group:data"]
    connectors: ["orders-*", "exact"]
  - role: admin
    who: ["certificate:CN=ops,O=Example", "token:robot"]
`

func TestRolesOnConnectors(t *testing.T) {
	p, err := ParsePolicy([]byte(rolesText))
	require.NoError(t, err)
	for _, c := range []struct {
		id                   Identity
		connector            string
		on, everywhere, most Role
	}{
		{Identity{Kind: User, Name: "bob"}, "orders-1", Viewer, Viewer, Viewer},
		{Identity{Kind: User, Name: "alice"}, "orders-1", Operator, Viewer, Operator},
		{Identity{Kind: User, Name: "alice"}, "exact", Operator, Viewer, Operator},
		{Identity{Kind: User, Name: "alice"}, "exactly", Viewer, Viewer, Operator},
		{Identity{Kind: Token, Name: "alice"}, "orders-1", Viewer, Viewer, Viewer}, // a token is no user of the same name
		{Identity{Kind: Token, Name: "x", Groups: []string{"data"}}, "orders-1", Operator, Viewer, Operator},
		{Identity{Kind: User, Name: "data"}, "orders-1", Viewer, Viewer, Viewer},
		{Identity{Kind: Certificate, Name: "CN=ops,O=Example"}, "anything", Admin, Admin, Admin},
		{Identity{Kind: Token, Name: "robot"}, "anything", Admin, Admin, Admin},
	} {
		r := p.Rights(c.id)
		require.Equal(t, []Role{c.on, c.everywhere, c.most}, []Role{r.On(c.connector), r.Everywhere(), r.Anywhere()}, "%v on %s", c.id, c.connector)
	}
	require.Equal(t, Nobody, Policy{}.Rights(Identity{Kind: User, Name: "a"}).Anywhere())
	require.Equal(t, Admin, Everything().Rights(Identity{}).On("x"))
}

func TestAWrongFileOfRolesIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"roles:\n- {role: king, who: ['*']}":                         "entry 1 of roles: \"king\" is no role",
		"roles:\n- {role: admin}":                                    "who is missing",
		"roles:\n- {role: admin, who: [alice]}":                      "\"alice\" is nobody",
		"roles:\n- {role: admin, who: ['user:']}":                    "is nobody",
		"roles:\n- {role: admin, who: ['anonymous:x']}":              "is nobody",
		"roles:\n- {role: admin, who: ['*'], connector: ['orders']}": "connector",
		"rolls: []": "rolls",
		"[":         "no file of roles",
	} {
		_, err := ParsePolicy([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	p, err := ParsePolicy(nil)
	require.NoError(t, err)
	require.Equal(t, Nobody, p.Rights(Identity{Kind: User, Name: "a"}).Anywhere(), "an empty file gives nobody anything")
	p, err = ParsePolicy([]byte("roles:\n- {role: admin, who: ['*'], connectors: []}"))
	require.NoError(t, err)
	require.Equal(t, Nobody, p.Rights(Identity{Kind: User, Name: "a"}).Anywhere(), "an empty list is no connector")
}

func TestPatternsMatchAsRegularExpressionsWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "name")
		want := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(name)
		if got := matches(pattern, name); got != want {
			t.Fatalf("%q on %q: %v", pattern, name, got)
		}
	})
}
