package rest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/tailrace/tailrace/host/access"
	"github.com/tailrace/tailrace/host/audit"
	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/loggers"
)

// guarded is an API with users, roles and an audit log that a test can read. The
// users are named after their roles; each has the password "secret of NAME".
type guarded struct {
	t       *testing.T
	herder  *openHerder
	options Options
	handler http.Handler
	mu      sync.Mutex
	log     bytes.Buffer
}

// Write takes a line of the audit log.
func (g *guarded) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.Write(line)
}

const testRoles = `
roles:
  - {role: viewer, who: ["user:viewer"]}
  - {role: operator, who: ["user:operator"]}
  - {role: admin, who: ["user:admin"]}
  - {role: admin, who: ["user:orders"], connectors: ["orders-*"]}
  - {role: viewer, who: ["user:orders-viewer"], connectors: ["orders-*"]}
`

// openHerder answers everything with success.
type openHerder struct {
	knownHerder
	names     []string
	signature herder.Signature // of the last request for fencing
}

func (h *openHerder) Fence(_ context.Context, _ string, s herder.Signature) error {
	h.signature = s
	return nil
}

func (h *openHerder) Connectors() []string { return h.names }
func (h *openHerder) Connector(name string) (herder.Connector, error) {
	return herder.Connector{Name: name, Config: map[string]string{"password": "hunter2", "token": "${file:/a:b}"}}, nil
}

func (h *openHerder) Progress(name string) (herder.Progress, error) {
	return herder.Progress{Name: name, Tasks: []herder.TaskProgress{}}, nil
}

func (h *openHerder) Tasks(name string) ([]herder.Task, error) {
	return []herder.Task{{ID: herder.TaskID{Connector: name}, Config: map[string]string{"password": "hunter2"}}}, nil
}

func (h *openHerder) Masked(settings map[string]string) map[string]string {
	out := maps.Clone(settings)
	out["password"] = "[hidden]"
	return out
}

func newGuarded(t *testing.T, change func(*Options)) *guarded {
	t.Helper()
	g := &guarded{t: t, herder: &openHerder{names: []string{"a-1", "orders-1", "orders-2"}}}
	dir := t.TempDir()
	var users strings.Builder
	for _, name := range []string{"viewer", "operator", "admin", "orders", "orders-viewer", "nothing"} {
		hash, err := bcrypt.GenerateFromPassword([]byte("secret of "+name), bcrypt.MinCost)
		require.NoError(t, err)
		fmt.Fprintf(&users, "%s:%s\n", name, hash)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte(users.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "roles"), []byte(testRoles), 0o600))
	gate, err := access.Open(access.Options{UsersFile: filepath.Join(dir, "users"), RolesFile: filepath.Join(dir, "roles"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	log, err := audit.Open(audit.Options{Logger: slog.New(slog.NewJSONHandler(g, nil))})
	require.NoError(t, err)
	g.options = Options{Security: Security{Gate: gate, Audit: log}, Loggers: loggers.New(slog.LevelInfo)}
	if change != nil {
		change(&g.options)
	}
	g.handler = Handler(g.herder, g.options)
	return g
}

// ask sends a request as a user; "" shows nothing.
func (g *guarded) ask(user, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(g.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		r.SetBasicAuth(user, "secret of "+user)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

// lines are the events written down so far.
func (g *guarded) lines() (out []map[string]any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for line := range strings.Lines(g.log.String()) {
		var event map[string]any
		require.NoError(g.t, json.Unmarshal([]byte(line), &event))
		out = append(out, event)
	}
	return out
}

// last is the event written down last, without its time.
func (g *guarded) last() map[string]any {
	lines := g.lines()
	require.NotEmpty(g.t, lines, "nothing was written down")
	event := lines[len(lines)-1]
	for _, key := range []string{"time", "level", "msg", "logger"} {
		delete(event, key)
	}
	return event
}

func TestAPasswordIsLetIn(t *testing.T) {
	g := newGuarded(t, nil)
	require.Equal(t, 200, g.ask("viewer", "GET", "/connectors", "").Code)
	require.Empty(t, g.lines(), "what only reads is not written down")
	require.Equal(t, 202, g.ask("operator", "PUT", "/connectors/a-1/pause?x=y", "").Code)
	require.Equal(t, map[string]any{
		"who": "user:operator", "from": "192.0.2.1", "action": "connector.pause", "connector": "a-1",
		"method": "PUT", "path": "/connectors/a-1/pause", "status": 202.0, "outcome": "done",
	}, g.last())
}

func TestAChangeThatFailsIsWrittenDown(t *testing.T) {
	g := newGuarded(t, nil)
	g.herder.fail = &herder.Error{Kind: herder.NotFound, Message: "no such"}
	require.Equal(t, 404, g.ask("admin", "PUT", "/connectors/a-1/pause", "").Code)
	require.Equal(t, "failed", g.last()["outcome"])
}

// Without credentials there is nothing: no route answers, not even that it does not exist.
func TestNothingShownIsRefused(t *testing.T) {
	g := newGuarded(t, nil)
	requests := []string{"GET /no/such/path", "POST /connectors/a-1", "OPTIONS /connectors", "HEAD /connectors"}
	for request := range permissions {
		requests = append(requests, request)
	}
	for _, request := range requests {
		method, path, _ := strings.Cut(request, " ")
		if needs(method, path).on == signed || path == "/metrics" {
			continue
		}
		before := len(g.lines())
		w := g.ask("", method, path, "")
		require.Equal(t, 401, w.Code, request)
		require.Equal(t, `Basic realm="tailrace", charset="UTF-8"`, w.Header().Get("WWW-Authenticate"))
		if method != "HEAD" {
			require.JSONEq(t, `{"error_code":401,"message":"User cannot access the resource."}`, w.Body.String())
		}
		require.Len(t, g.lines(), before+1, request)
		event := g.last()
		require.Equal(t, "anonymous", event["who"])
		require.Equal(t, "refused", event["outcome"])
		require.Equal(t, "no credentials were shown", event["reason"])
	}
	require.Empty(t, g.herder.put)
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	g := newGuarded(t, nil)
	for name, header := range map[string]string{
		"a wrong password": "Basic dmlld2VyOng=", "no such user": "Basic bm9ib2R5Ong=", "an empty password": "Basic dmlld2VyOg==",
		"not base64": "Basic %%%", "no scheme": "viewer", "another scheme": "Digest username=viewer", "a token that nobody takes": "Bearer abc", "an empty token": "Bearer ",
	} {
		t.Run(name, func(t *testing.T) {
			w := g.ask("", "PUT", "/connectors/a-1/pause", "", "Authorization", header)
			require.Equal(t, 401, w.Code)
			require.Equal(t, "refused", g.last()["outcome"])
			require.Contains(t, g.last()["reason"], "the credentials are wrong")
		})
	}
}

// tokenGate opens a gate for tokens of an issuer on this machine.
func tokenGate(t *testing.T, issuer string) *access.Gate {
	t.Helper()
	roles := filepath.Join(t.TempDir(), "roles")
	require.NoError(t, os.WriteFile(roles, []byte("roles: [{role: operator, who: ['group:data']}]"), 0o600))
	gate, err := access.Open(access.Options{RolesFile: roles, Logger: slog.New(slog.DiscardHandler), Tokens: &access.TokenOptions{
		Issuer: issuer, KeysURL: issuer + "/keys", Audience: "tailrace", NameClaim: "sub", GroupsClaim: "groups", Transport: &http.Transport{DisableKeepAlives: true},
		Logger: slog.New(slog.DiscardHandler),
	}})
	require.NoError(t, err)
	return gate
}

func TestATokenIsLetInWithItsGroups(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "EdDSA"}}})
	}))
	defer issuer.Close()
	g := newGuarded(t, func(o *Options) { o.Gate = tokenGate(t, issuer.URL) })
	token := func(groups ...string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
		require.NoError(t, err)
		claims, err := json.Marshal(map[string]any{"iss": issuer.URL, "aud": "tailrace", "sub": "robot", "groups": groups, "exp": time.Now().Add(time.Hour).Unix()})
		require.NoError(t, err)
		signed, err := signer.Sign(claims)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		return "Bearer " + text
	}
	require.Equal(t, 202, g.ask("", "PUT", "/connectors/a-1/pause", "", "Authorization", token("data")).Code)
	require.Equal(t, "token:robot", g.last()["who"])
	require.Equal(t, 403, g.ask("", "PUT", "/connectors/a-1/pause", "", "Authorization", token("other")).Code)
	require.Equal(t, 403, g.ask("", "DELETE", "/connectors/a-1", "", "Authorization", token("data")).Code)
	w := g.ask("", "PUT", "/connectors/a-1/pause", "")
	require.Equal(t, 401, w.Code)
	require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
}

func TestAnIssuerThatIsAwayAnswers503(t *testing.T) {
	issuer := httptest.NewServer(http.NotFoundHandler())
	issuer.Close()
	g := newGuarded(t, func(o *Options) { o.Gate = tokenGate(t, issuer.URL) })
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, nil)
	require.NoError(t, err)
	signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"aud":"tailrace","sub":"robot","exp":%d}`, issuer.URL, time.Now().Add(time.Hour).Unix()))
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	w := g.ask("", "PUT", "/connectors/a-1/pause", "", "Authorization", "Bearer "+text)
	require.Equal(t, 503, w.Code, w.Body)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Equal(t, "refused", g.last()["outcome"])
}

// The table of permissions holds, request by request and role by role.
func TestEachRoleMayDoWhatTheTableSays(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Metrics = http.NotFoundHandler() })
	a := &api{herder: g.herder, options: g.options}
	all := a.table()
	maps.Copy(all, a.admin())
	maps.Copy(all, a.observed())
	all["/metrics"] = methods{"GET": nil}
	var listed int
	for path, methods := range all {
		for method := range methods {
			p, ok := permissions[method+" "+path]
			require.True(t, ok, "%s %s stands in no line of permissions", method, path)
			listed++
			if p.on == signed {
				continue
			}
			for role := access.Nobody; role <= access.Admin; role++ {
				v := &visit{connector: "a-1", rights: g.options.Gate.Rights(access.Identity{Kind: access.User, Name: role.String()})}
				allowed := role >= p.role
				require.Equal(t, allowed, v.may(p) == nil, "%s as %s", method+" "+path, role)
			}
		}
	}
	require.Len(t, permissions, listed, "permissions names a request that does not exist")
	require.Equal(t, access.Admin, needs("PUT", "/something/new").role, "what is not in the table is for admins")
	require.Equal(t, everywhere, needs("PUT", "/something/new").on)
}

func TestARoleThatIsTooLowIsRefused(t *testing.T) {
	g := newGuarded(t, nil)
	for user, request := range map[string]string{
		"nothing": "GET /connectors", "viewer": "PUT /connectors/a-1/pause", "operator": "DELETE /connectors/a-1", "orders": "PUT /admin/loggers/root", "orders-viewer": "GET /admin/loggers",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := g.ask(user, method, path, "")
		require.Equal(t, 403, w.Code, user)
		require.Contains(t, w.Body.String(), "user:"+user+" has ")
		event := g.last()
		require.Equal(t, []any{"user:" + user, "refused", 403.0}, []any{event["who"], event["outcome"], event["status"]})
	}
}

func TestConnectorsOutsideThePatternAreRefused(t *testing.T) {
	g := newGuarded(t, nil)
	require.Equal(t, 403, g.ask("orders", "GET", "/connectors/a-1", "").Code)
	require.Equal(t, 403, g.ask("orders", "GET", "/connectors/no-such", "").Code, "whether it exists is not told")
	require.Equal(t, 403, g.ask("orders", "PUT", "/connectors/a-1/config", "{}").Code)
	require.Equal(t, 201, g.ask("orders", "PUT", "/connectors/orders-9/config", "{}").Code)
	g.herder.created = nil
	for _, name := range []string{"a-9", " a-9 ", "orders-", "\\torders-9\\n"} {
		body := `{"name":"` + name + `","config":{"connector.class":"x"}}`
		w := g.ask("orders", "POST", "/connectors", body)
		trimmed := strings.Trim(name, ` \tn`)
		if strings.HasPrefix(trimmed, "orders-") {
			require.Equal(t, 201, w.Code, name)
			require.True(t, strings.HasPrefix(g.herder.created[0].Name, "orders-"))
			require.Equal(t, "connector.create", g.last()["action"])
			require.Contains(t, g.last()["connector"], "orders-")
		} else {
			require.Equal(t, 403, w.Code, name)
			require.Equal(t, "a-9", g.last()["connector"])
			require.Equal(t, "refused", g.last()["outcome"])
			require.Empty(t, g.herder.created)
		}
	}
}

func TestListsLeaveOutWhatMayNotBeSeen(t *testing.T) {
	g := newGuarded(t, nil)
	require.JSONEq(t, `["orders-1","orders-2"]`, g.ask("orders", "GET", "/connectors", "").Body.String())
	require.JSONEq(t, `["a-1","orders-1","orders-2"]`, g.ask("viewer", "GET", "/connectors", "").Body.String())
	require.NotContains(t, g.ask("orders", "GET", "/connectors?expand=info", "").Body.String(), "a-1")
}

// Who may not change a connector sees no password of it; references stay.
func TestSecretsAreHiddenFromThoseWhoMayNotChangeThem(t *testing.T) {
	g := newGuarded(t, nil)
	for _, path := range []string{"/connectors?expand=info", "/connectors/orders-1", "/connectors/orders-1/config", "/connectors/orders-1/tasks"} {
		for user, sees := range map[string]bool{"viewer": false, "operator": false, "orders-viewer": false, "orders": true, "admin": true} {
			body := g.ask(user, "GET", path, "").Body.String()
			require.Equal(t, sees, strings.Contains(body, "hunter2"), "%s: %s: %s", user, path, body)
			if !strings.Contains(path, "tasks") {
				require.Contains(t, body, "${file:/a:b}")
			}
		}
	}
}

// Requests between workers are signed; the herder checks the signature.
func TestSignedRequestsOfWorkersNeedNoLogin(t *testing.T) {
	g := newGuarded(t, nil)
	require.NotEqual(t, 401, g.ask("", "POST", "/connectors/a-1/tasks", "[]").Code)
	require.Equal(t, "worker", g.last()["who"])
	require.NotEqual(t, 401, g.ask("", "PUT", "/connectors/a-1/fence", "").Code)
	require.Equal(t, 401, g.ask("", "GET", "/connectors/a-1/tasks", "").Code)
	require.Equal(t, 401, g.ask("", "PUT", "/connectors/a-1/fence", "", "Authorization", "Basic dmlld2VyOng=").Code, "wrong credentials stay wrong")
}

// In a group that does not sign, only this tells the herder whether it may do what is asked.
func TestTheHerderHearsWhetherAWorkersRequestCameWithALogin(t *testing.T) {
	g := newGuarded(t, nil)
	for user, admitted := range map[string]bool{"": false, "viewer": false, "operator": false, "orders": false, "admin": true} {
		require.Equal(t, 204, g.ask(user, "PUT", "/connectors/a-1/fence", "", headerSignature, "made up").Code, user)
		require.Equal(t, herder.Signature{Value: "made up", Admitted: admitted}, g.herder.signature, user)
	}
	open := newGuarded(t, func(o *Options) { o.Gate = nil })
	require.Equal(t, 204, open.ask("", "PUT", "/connectors/a-1/fence", "").Code)
	require.True(t, open.herder.signature.Admitted, "nobody has to log in")
}

func TestHealthIsOpenOnlyWhenAsked(t *testing.T) {
	require.Equal(t, 401, newGuarded(t, nil).ask("", "GET", "/health", "").Code)
	g := newGuarded(t, func(o *Options) { o.OpenHealth = true })
	require.Equal(t, 200, g.ask("", "GET", "/health", "").Code)
	require.Equal(t, 401, g.ask("", "GET", "/", "").Code)
	require.Equal(t, 401, g.ask("", "GET", "/health", "", "Authorization", "Basic dmlld2VyOng=").Code, "wrong credentials stay wrong")
}

func TestPreflightsNeedNoLogin(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.CORS = CORS{AllowOrigin: "https://ui.example", AllowMethods: []string{"PUT"}} })
	w := g.ask("", "OPTIONS", "/connectors/a-1/pause", "", "Origin", "https://ui.example", "Access-Control-Request-Method", "PUT")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "PUT", w.Header().Get("Access-Control-Allow-Methods"))
	require.Equal(t, 401, g.ask("", "OPTIONS", "/connectors/a-1/pause", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "PUT").Code)
}

// A page of another origin can make a browser send a request with the password that the browser knows.
func TestChangesFromPagesOfOtherOriginsAreRefused(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.CORS = CORS{AllowOrigin: "https://ui.example"} })
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"a program":               {nil, 202},
		"the same origin":         {[]string{"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, 202},
		"an origin that is named": {[]string{"Origin", "https://ui.example", "Sec-Fetch-Site", "cross-site"}, 202},
		"another origin":          {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		"an old browser":          {[]string{"Origin", "https://evil.example"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.status, g.ask("admin", "PUT", "/connectors/a-1/pause", "", c.headers...).Code)
		})
	}
	require.Equal(t, 200, g.ask("admin", "GET", "/connectors", "", "Origin", "https://evil.example").Code, "an answer that the browser keeps from the page")
}

func TestGuessingIsSlowedDown(t *testing.T) {
	g := newGuarded(t, nil)
	wrong := func() *httptest.ResponseRecorder {
		return g.ask("", "GET", "/connectors", "", "Authorization", "Basic YWRtaW46eA==")
	}
	var w *httptest.ResponseRecorder
	for range 3 * guessesAtOnce {
		if w = wrong(); w.Code == 429 {
			break
		}
		require.Equal(t, 401, w.Code)
	}
	require.Equal(t, 429, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.Equal(t, "refused", g.last()["outcome"])
	require.Equal(t, 200, g.ask("viewer", "GET", "/connectors", "").Code, "other users are not held up")
	for range 5 * guessesAtOnce {
		require.Equal(t, 200, g.ask("viewer", "GET", "/connectors", "").Code, "right passwords are not counted")
	}
}

func TestTheAuditLogHoldsNoSecret(t *testing.T) {
	g := newGuarded(t, nil)
	g.ask("admin", "POST", "/connectors", `{"name":"n","config":{"password":"hunter2","connector.class":"x"}}`)
	g.ask("admin", "PUT", "/connectors/n/config?token=hunter2", `{"password":"hunter2"}`)
	g.ask("", "PUT", "/connectors/n/config", `{"password":"hunter2"}`, "Authorization", "Basic YWRtaW46aHVudGVyMg==")
	g.ask("", "PUT", "/connectors/n/config", `{"password":"hunter2"}`, "Authorization", "Bearer hunter2")
	require.Len(t, g.lines(), 4)
	require.NotContains(t, g.log.String(), "hunter2")
	require.NotContains(t, g.log.String(), "secret of")
	require.NotContains(t, g.log.String(), "aHVudGVyMg")
}

// The flag is what keeps a proxy or an attacker from choosing the address that is written down and limited.
func TestForwardedAddressesAreNotBelieved(t *testing.T) {
	g := newGuarded(t, nil)
	g.ask("admin", "PUT", "/connectors/a-1/pause", "", "X-Forwarded-For", "10.9.9.9", "Forwarded", "for=10.9.9.9", "X-Real-IP", "10.9.9.9")
	require.Equal(t, "192.0.2.1", g.last()["from"])
	require.False(t, slices.ContainsFunc(g.lines(), func(e map[string]any) bool { return e["from"] == "10.9.9.9" }))
}
