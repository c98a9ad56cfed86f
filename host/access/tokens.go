package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// TokenOptions say which bearer tokens are good.
type TokenOptions struct {
	// Issuer is the URL of the OpenID Connect issuer; tokens must name it as iss.
	Issuer string
	// Audience must be in aud of the token.
	Audience string
	// KeysURL is where the issuer's keys are; empty asks the issuer's discovery document.
	KeysURL string
	// NameClaim and GroupsClaim become name and groups of the identity.
	NameClaim, GroupsClaim string
	// Leeway is by how much clocks may differ.
	Leeway time.Duration
	// Transport reaches the issuer.
	Transport http.RoundTripper
	Logger    *slog.Logger
}

const (
	issuerTimeout = 10 * time.Second
	// issuerRetry is the least time between two questions about the same URL, so
	// that nobody can use this worker to flood the issuer.
	issuerRetry = 5 * time.Second
	// keysRefresh is after which time a key that the issuer has withdrawn is no longer good.
	keysRefresh    = time.Hour
	maxIssuerBytes = 1 << 20
)

// signatures are the algorithms that are taken: all asymmetric ones. none and the
// symmetric ones would let whoever knows a public key, or nothing, make tokens.
var signatures = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// tokens checks bearer tokens. The issuer is asked when the first token comes, not
// at the start: a worker must not wait for it.
type tokens struct {
	options TokenOptions
	issuer  *calm
	client  *http.Client // by way of issuer

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	asked    time.Time // when verifier was made
}

// newTokens checks the options.
func newTokens(o TokenOptions) (*tokens, error) {
	for key, text := range map[string]string{"rest.auth.oidc.issuer": o.Issuer, "rest.auth.oidc.jwks.url": o.KeysURL} {
		if err := checkIssuer(text); text != "" && err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	if o.Audience == "" {
		return nil, errors.New("rest.auth.oidc.audience: is missing; without it tokens made for other services would be good here")
	}
	issuer := &calm{every: issuerRetry, next: o.Transport, answers: map[string]remembered{}}
	return &tokens{options: o, issuer: issuer, client: &http.Client{Timeout: issuerTimeout, Transport: issuer}}, nil
}

// checkIssuer wants https: whoever can change the keys on their way can make any token.
func checkIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is no URL such as https://issuer.example", text)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return fmt.Errorf("%q must be https; http is for this machine only", text)
	}
	return nil
}

// check turns a token into an identity.
func (t *tokens) check(ctx context.Context, raw string) (Identity, error) {
	verifier, err := t.ready(ctx)
	if err != nil {
		t.options.Logger.Error("the issuer of tokens cannot be asked", "issuer", t.options.Issuer, "error", err)
		return Identity{}, ErrUnavailable
	}
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		if t.issuer.silent() || errors.Is(err, context.DeadlineExceeded) {
			return Identity{}, ErrUnavailable // the key may be one that it could not be asked for
		}
		return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if before, ok := claims["nbf"].(float64); ok && time.Unix(int64(before), 0).After(time.Now().Add(t.options.Leeway)) {
		return Identity{}, fmt.Errorf("%w: the token is not yet valid", ErrRefused)
	}
	name, _ := claims[t.options.NameClaim].(string)
	if name == "" {
		return Identity{}, fmt.Errorf("%w: the token has no claim %s", ErrRefused, t.options.NameClaim)
	}
	return Identity{Kind: Token, Name: name, Groups: texts(claims[t.options.GroupsClaim])}, nil
}

// texts reads a claim that is a text or a list of texts.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, entry := range v {
			if text, ok := entry.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// ready makes the verifier, and makes it anew from time to time, so that withdrawn
// keys are forgotten. When that fails the old one goes on.
func (t *tokens) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifier != nil && time.Since(t.asked) < keysRefresh {
		return t.verifier, nil
	}
	verifier, err := t.discover(ctx)
	if err != nil && t.verifier == nil {
		return nil, err
	}
	t.asked = time.Now()
	if err != nil {
		t.options.Logger.Error("the issuer of tokens cannot be asked; the keys that it gave before stay good", "issuer", t.options.Issuer, "error", err)
		return t.verifier, nil
	}
	t.verifier = verifier
	return verifier, nil
}

func (t *tokens) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	conf := &oidc.Config{
		ClientID: t.options.Audience, SupportedSigningAlgs: signatures,
		Now: func() time.Time { return time.Now().Add(-t.options.Leeway) },
	}
	// The key set outlives this request; its own requests end with the client's timeout.
	lasting := oidc.ClientContext(context.WithoutCancel(ctx), t.client)
	if t.options.KeysURL != "" {
		return oidc.NewVerifier(t.options.Issuer, oidc.NewRemoteKeySet(lasting, t.options.KeysURL), conf), nil
	}
	provider, err := oidc.NewProvider(lasting, t.options.Issuer)
	if err != nil {
		return nil, err
	}
	return provider.Verifier(conf), nil
}

// remembered is an answer of the issuer.
type remembered struct {
	at     time.Time
	status int
	header http.Header
	body   []byte
	err    error
}

// calm asks for each URL once in a while and answers from memory meanwhile: every
// token with an unknown key makes the library ask for the keys again.
type calm struct {
	every time.Duration
	next  http.RoundTripper

	mu      sync.Mutex
	answers map[string]remembered // discovery and keys: two
}

// RoundTrip implements http.RoundTripper for GET requests.
func (c *calm) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.answers[r.URL.String()]
	if !ok || time.Since(was.at) > c.every {
		was = c.ask(r)
		c.answers[r.URL.String()] = was
	}
	if was.err != nil {
		return nil, was.err
	}
	return &http.Response{
		Status: http.StatusText(was.status), StatusCode: was.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: was.header.Clone(), Body: io.NopCloser(bytes.NewReader(was.body)), ContentLength: int64(len(was.body)), Request: r,
	}, nil
}

// silent tells whether a question was not answered when it was asked last.
func (c *calm) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, was := range c.answers {
		if was.err != nil {
			return true
		}
	}
	return false
}

func (c *calm) ask(r *http.Request) remembered {
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return remembered{at: time.Now(), err: err}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxIssuerBytes))
	if err == nil && answer.StatusCode >= http.StatusInternalServerError {
		err = errors.New(answer.Status)
	}
	if err != nil {
		return remembered{at: time.Now(), err: err}
	}
	return remembered{at: time.Now(), status: answer.StatusCode, header: answer.Header, body: body}
}
