package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

var discard = slog.New(slog.DiscardHandler)

func hashed(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

func usersFile(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	return file
}

func password(user, password string) Credentials {
	return Credentials{User: user, Password: password, HasPassword: true}
}

func TestUsersEnterWithTheirPasswords(t *testing.T) {
	file := usersFile(t, "# people", "alice:"+hashed(t, "wonder"), "", "bob:"+hashed(t, "builder"))
	plain := map[string]string{"carol": "christmas"}
	g, err := Open(Options{
		UsersFile: file, ConnectUsersFile: file, ReadConnectUsers: func(string) (map[string]string, error) { return plain, nil }, Logger: discard,
	})
	require.NoError(t, err)
	for range 2 { // the second time from memory
		for c, want := range map[Credentials]string{
			password("alice", "wonder"): "user:alice", password("bob", "builder"): "user:bob", password("carol", "christmas"): "user:carol",
			password("alice", "builder"): "", password("bob", ""): "", password("", ""): "", password("nobody", "wonder"): "", password("carol", "Christmas"): "",
			{}: "", {Token: "x"}: "",
		} {
			id, err := g.Enter(t.Context(), c)
			if want == "" {
				require.Error(t, err)
				require.NotErrorIs(t, err, ErrUnavailable)
				require.Empty(t, id)
			} else {
				require.NoError(t, err)
				require.Equal(t, want, id.String())
			}
		}
	}
	require.Equal(t, Admin, g.Rights(Identity{Kind: User, Name: "alice"}).Everywhere(), "without a file of roles")

	require.NoError(t, os.WriteFile(file, []byte("alice:"+hashed(t, "changed")), 0o600))
	require.Eventually(t, func() bool { _, err := g.Enter(t.Context(), password("alice", "wonder")); return err != nil }, 20*time.Second, 20*time.Millisecond,
		"a remembered password ends with its hash")
	_, err = g.Enter(t.Context(), password("alice", "changed"))
	require.NoError(t, err)
	_, err = g.Enter(t.Context(), password("bob", "builder"))
	require.ErrorIs(t, err, ErrRefused)
}

func TestWrongUsersFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"alice": "line 1 is not of the form",
		"\nalice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=":     "line 2: the hash of alice is not bcrypt",
		"a:" + hashed(t, "x") + "\na:" + hashed(t, "y"): "there twice",
		"# nobody":                            "names no user",
		"a:$2a$31$" + strings.Repeat("a", 53): "cost 31",
	} {
		_, err := ParseUsers(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "5en6")
	}
	_, err := PlainUsers(nil)
	require.ErrorContains(t, err, "lets in nobody")
	_, err = Open(Options{UsersFile: "/no/such", Logger: discard})
	require.ErrorContains(t, err, "rest.auth.users.file: ")
	_, err = Open(Options{RolesFile: "/no/such", Logger: discard})
	require.ErrorContains(t, err, "rest.auth.roles.file: ")
}

// Guessing takes half of the processors at most, and a client that leaves is not waited for.
func TestGuessingIsBounded(t *testing.T) {
	p := newPasswords()
	for range cap(p.turns) {
		p.turns <- struct{}{}
	}
	u, err := ParseUsers("alice:" + hashed(t, "x"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.check(ctx, u, "alice", "x")
	require.ErrorIs(t, err, ErrUnavailable)
	p = newPasswords()
	for i := range maxRemembered + 10 {
		p.remember([32]byte{byte(i), byte(i >> 8)})
	}
	require.LessOrEqual(t, len(p.proved), maxRemembered)
}

func TestCertificatesEnterWhenTheyAreAskedFor(t *testing.T) {
	c := Credentials{Certificate: &x509.Certificate{Subject: pkix.Name{CommonName: "al,ice", Organization: []string{"Example"}}}}
	g, err := Open(Options{Certificates: true, Logger: discard})
	require.NoError(t, err)
	id, err := g.Enter(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, `certificate:CN=al\,ice,O=Example`, id.String())
	g, err = Open(Options{Logger: discard})
	require.NoError(t, err)
	_, err = g.Enter(t.Context(), c)
	require.ErrorIs(t, err, ErrNothingShown)
}

// issuer is an OpenID Connect issuer with one key at a time.
type issuer struct {
	*httptest.Server
	t     *testing.T
	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	id    string
	down  atomic.Bool
	asked atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	i.rotate("one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.id, Algorithm: "ES256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answer(w http.ResponseWriter, body any) {
	if i.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (i *issuer) rotate(id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(i.t, err)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.id = key, id
}

func (i *issuer) token(change map[string]any) string {
	i.t.Helper()
	claims := map[string]any{
		"iss": i.URL, "aud": "tailrace", "sub": "robot", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "groups": []string{"data", "ops"},
	}
	for k, v := range change {
		if v == nil {
			delete(claims, k)
		} else {
			claims[k] = v
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(i.t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.id}}, claims)
}

func sign(t *testing.T, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, nil)
	require.NoError(t, err)
	raw, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(raw)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return text
}

func (i *issuer) gate(keysURL string) *Gate {
	i.t.Helper()
	g, err := Open(Options{Logger: discard, Tokens: &TokenOptions{
		Issuer: i.URL, Audience: "tailrace", KeysURL: keysURL, NameClaim: "sub", GroupsClaim: "groups", Leeway: 30 * time.Second,
		Transport: http.DefaultTransport, Logger: discard,
	}})
	require.NoError(i.t, err)
	g.tokens.issuer.every = 200 * time.Millisecond
	return g
}

func TestTokens(t *testing.T) {
	i := newIssuer(t)
	now := time.Now()
	stranger := newIssuer(t)
	stranger.URL = i.URL
	for _, keysURL := range []string{"", i.URL + "/keys"} {
		g := i.gate(keysURL)
		id, err := g.Enter(t.Context(), Credentials{Token: i.token(nil)})
		require.NoError(t, err)
		require.Equal(t, Identity{Kind: Token, Name: "robot", Groups: []string{"data", "ops"}}, id)
		for name, c := range map[string]struct {
			token string
			good  bool
		}{
			"one audience of several":               {i.token(map[string]any{"aud": []string{"other", "tailrace"}}), true},
			"another audience":                      {i.token(map[string]any{"aud": "other"}), false},
			"no audience":                           {i.token(map[string]any{"aud": nil}), false},
			"another issuer":                        {i.token(map[string]any{"iss": "https://elsewhere.example"}), false},
			"expired within the leeway":             {i.token(map[string]any{"exp": now.Add(-10 * time.Second).Unix()}), true},
			"expired":                               {i.token(map[string]any{"exp": now.Add(-time.Minute).Unix()}), false},
			"without an end":                        {i.token(map[string]any{"exp": nil}), false},
			"soon valid, within the leeway":         {i.token(map[string]any{"nbf": now.Add(10 * time.Second).Unix()}), true},
			"not yet valid":                         {i.token(map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}), false},
			"nobody's":                              {i.token(map[string]any{"sub": nil}), false},
			"a stranger's key":                      {stranger.token(nil), false},
			"rubbish":                               {"a.b.c", false},
			"no signature":                          {"eyJhbGciOiJub25lIn0." + strings.Split(i.token(nil), ".")[1] + ".", false},
			"a symmetric signature, of public text": {sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, map[string]any{"iss": i.URL, "aud": "tailrace", "sub": "robot", "exp": now.Add(time.Hour).Unix()}), false},
		} {
			t.Run(name, func(t *testing.T) {
				id, err := g.Enter(t.Context(), Credentials{Token: c.token})
				if c.good {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, ErrRefused)
				require.Empty(t, id)
			})
		}
	}
}

func TestKeysRotate(t *testing.T) {
	i := newIssuer(t)
	g := i.gate("")
	first := i.token(nil)
	_, err := g.Enter(t.Context(), Credentials{Token: first})
	require.NoError(t, err)
	i.rotate("two")
	second := i.token(nil)
	require.Eventually(t, func() bool { _, err := g.Enter(t.Context(), Credentials{Token: second}); return err == nil }, 30*time.Second, 100*time.Millisecond)
	require.LessOrEqual(t, i.asked.Load(), int32(8), "the issuer is not asked for each token")
	g.tokens.asked = time.Now().Add(-2 * keysRefresh)
	_, err = g.Enter(t.Context(), Credentials{Token: first})
	require.ErrorIs(t, err, ErrRefused, "a withdrawn key is forgotten")
}

func TestAnIssuerThatIsAwayMakesItUndecided(t *testing.T) {
	i := newIssuer(t)
	i.down.Store(true)
	g := i.gate("")
	_, err := g.Enter(t.Context(), Credentials{Token: i.token(nil)})
	require.ErrorIs(t, err, ErrUnavailable)
	i.down.Store(false)
	require.Eventually(t, func() bool { _, err := g.Enter(t.Context(), Credentials{Token: i.token(nil)}); return err == nil }, 30*time.Second, 100*time.Millisecond)
	i.down.Store(true)
	g.tokens.asked = time.Now().Add(-2 * keysRefresh)
	_, err = g.Enter(t.Context(), Credentials{Token: i.token(nil)})
	require.NoError(t, err, "the keys that are known go on")
}

func TestTokenSettingsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		o    TokenOptions
		want string
	}{
		"no audience":    {TokenOptions{Issuer: "https://i.example"}, "rest.auth.oidc.audience"},
		"http":           {TokenOptions{Issuer: "http://i.example", Audience: "a"}, "must be https"},
		"no URL":         {TokenOptions{Issuer: "i", Audience: "a"}, "rest.auth.oidc.issuer"},
		"keys over http": {TokenOptions{Issuer: "https://i.example", KeysURL: "http://i.example/k", Audience: "a"}, "rest.auth.oidc.jwks.url"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(Options{Tokens: &c.o, Logger: discard})
			require.ErrorContains(t, err, c.want)
		})
	}
}
