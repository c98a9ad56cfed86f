package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"github.com/tailrace/tailrace/host/tlsconfig"
)

// tokenSettings say where a client of OAUTHBEARER gets its token. Exactly one of
// unsecured, file and endpoint is in use. They hold secrets.
type tokenSettings struct {
	unsecured *unsecuredToken
	file      string // a token in a file, read again for each new token
	endpoint  string // URL that gives tokens
	tls       tlsconfig.Settings

	clientID     string
	clientSecret string
	urlEncode    bool // of the two in the Authorization header
	scope        string
	assertion    *assertionSettings // the JWT bearer grant instead of client credentials

	extensions map[string]string

	connectTimeout  time.Duration
	readTimeout     time.Duration
	retryBackoff    time.Duration
	retryBackoffMax time.Duration

	refreshFactor, refreshJitter float64       // of a token's life
	refreshBuffer, refreshMin    time.Duration // before its end; between two refreshes
}

// Defaults where Kafka has none: nothing may wait for ever.
const (
	tokenConnectTimeout = 10 * time.Second
	tokenReadTimeout    = 30 * time.Second
)

// parseToken reads the properties and the options of the login module. Properties
// win over options, as since Kafka 4.1 (KIP-1139).
func parseToken(props, options map[string]string) (*tokenSettings, error) {
	get := func(property, option string) string {
		if v := strings.TrimSpace(props["sasl.oauthbearer."+property]); v != "" {
			return v
		}
		return options[option]
	}
	t := &tokenSettings{
		clientID: get("client.credentials.client.id", "clientId"), clientSecret: get("client.credentials.client.secret", "clientSecret"),
		scope: get("scope", "scope"), urlEncode: strings.EqualFold(get("header.urlencode", ""), "true"), extensions: map[string]string{},
		connectTimeout: tokenConnectTimeout, readTimeout: tokenReadTimeout, retryBackoff: 100 * time.Millisecond, retryBackoffMax: 10 * time.Second,
		refreshFactor: 0.8, refreshJitter: 0.05, refreshBuffer: 5 * time.Minute, refreshMin: time.Minute,
	}
	errs := []error{t.parseTimes(props)}
	for name, value := range options {
		if extension, ok := strings.CutPrefix(name, "extension_"); ok {
			t.extensions[extension] = value
		}
	}
	source := lastPart(props["sasl.login.callback.handler.class"])
	retriever := lastPart(props["sasl.oauthbearer.jwt.retriever.class"])
	address := strings.TrimSpace(props["sasl.oauthbearer.token.endpoint.url"])
	switch {
	case source == "OAuthBearerUnsecuredLoginCallbackHandler", source == "" && address == "" && retriever == "":
		u, err := parseUnsecured(options)
		t.unsecured = u
		return t, errors.Join(append(errs, err)...)
	case source != "" && source != "OAuthBearerLoginCallbackHandler":
		return t, &ConfigError{Key: "sasl.login.callback.handler.class", Reason: "it is a Java class and cannot run here; use Kafka's OAuthBearerLoginCallbackHandler with sasl.oauthbearer.token.endpoint.url"}
	case address == "":
		return t, &ConfigError{Key: "sasl.oauthbearer.token.endpoint.url", Reason: "it is not set: give the https URL of the token endpoint, or a file URL of a token"}
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "file" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		errs = append(errs, &ConfigError{Key: "sasl.oauthbearer.token.endpoint.url", Reason: "it is not an https, http or file URL"})
	case u.Scheme == "file":
		t.file = u.Path
	default:
		t.endpoint = address
		errs = append(errs, t.parseGrant(props, options, retriever))
	}
	return t, errors.Join(errs...)
}

// parseGrant reads how the token endpoint is asked.
func (t *tokenSettings) parseGrant(props, options map[string]string, retriever string) error {
	var errs []error
	switch retriever {
	case "", "DefaultJwtRetriever", "ClientCredentialsJwtRetriever":
		if t.clientID == "" {
			errs = append(errs, &ConfigError{Key: jaasKey, Reason: "the option clientId of OAuthBearerLoginModule is missing (or sasl.oauthbearer.client.credentials.client.id)"})
		}
		if t.clientSecret == "" {
			errs = append(errs, &ConfigError{Key: jaasKey, Reason: "the option clientSecret of OAuthBearerLoginModule is missing (or sasl.oauthbearer.client.credentials.client.secret)"})
		}
	case "JwtBearerJwtRetriever":
		a, err := parseAssertion(props)
		t.assertion = a
		errs = append(errs, err)
	default:
		errs = append(errs, &ConfigError{Key: "sasl.oauthbearer.jwt.retriever.class", Reason: "it is a Java class and cannot run here; use Kafka's DefaultJwtRetriever, ClientCredentialsJwtRetriever, FileJwtRetriever or JwtBearerJwtRetriever"})
	}
	// As in Kafka, the endpoint's TLS is set by ssl.* options of the login module.
	settings, err := tlsconfig.Parse(options)
	t.tls = settings
	return errors.Join(append(errs, settingError(err))...)
}

func lastPart(class string) string {
	class = strings.TrimSpace(class)
	return class[strings.LastIndexByte(class, '.')+1:]
}

// parseTimes reads what paces logins and the renewal of tokens.
func (t *tokenSettings) parseTimes(props map[string]string) error {
	var errs []error
	number := func(key string, set func(float64)) {
		text := strings.TrimSpace(props[key])
		if text == "" {
			return
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 || n > 1e12 {
			errs = append(errs, &ConfigError{Key: key, Reason: "it is not a number from 0"})
			return
		}
		set(n)
	}
	in := func(unit time.Duration, field *time.Duration) func(float64) {
		return func(n float64) { *field = time.Duration(min(n*float64(unit), float64(24*365*time.Hour))) }
	}
	number("sasl.login.connect.timeout.ms", in(time.Millisecond, &t.connectTimeout))
	number("sasl.login.read.timeout.ms", in(time.Millisecond, &t.readTimeout))
	number("sasl.login.retry.backoff.ms", in(time.Millisecond, &t.retryBackoff))
	number("sasl.login.retry.backoff.max.ms", in(time.Millisecond, &t.retryBackoffMax))
	number("sasl.login.refresh.buffer.seconds", in(time.Second, &t.refreshBuffer))
	number("sasl.login.refresh.min.period.seconds", in(time.Second, &t.refreshMin))
	number("sasl.login.refresh.window.factor", func(n float64) { t.refreshFactor = min(n, 1) })
	number("sasl.login.refresh.window.jitter", func(n float64) { t.refreshJitter = min(n, 1) })
	return errors.Join(errs...)
}

// token is a bearer token and its life.
type token struct {
	text            string
	issued, expires time.Time
}

// refreshAt is when a new token is worth asking for: after a share of its life,
// early enough before its end, and not at once for one that lives shortly.
func (t *tokenSettings) refreshAt(tok token, random float64) time.Time {
	life := tok.expires.Sub(tok.issued)
	at := tok.issued.Add(time.Duration(float64(life) * min(t.refreshFactor+t.refreshJitter*random, 1)))
	if life > t.refreshBuffer+t.refreshMin {
		if latest := tok.expires.Add(-t.refreshBuffer); at.After(latest) {
			at = latest
		}
		if earliest := tok.issued.Add(t.refreshMin); at.Before(earliest) {
			at = earliest
		}
	}
	return at
}

// tokenKeeper hands out one token to all connections of a client until it is to
// be renewed. While the endpoint fails, a token that has not expired stays in use.
type tokenKeeper struct {
	settings *tokenSettings
	fetch    func(ctx context.Context) (token, error)

	mu      sync.Mutex
	current token
	renew   time.Time
}

func (k *tokenKeeper) get(ctx context.Context) (token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.current.text != "" && now.Before(k.renew) {
		return k.current, nil
	}
	fresh, err := k.fetch(ctx)
	if err != nil {
		if k.current.text != "" && now.Before(k.current.expires) {
			return k.current, nil
		}
		return token{}, err
	}
	k.current = fresh
	k.renew = k.settings.refreshAt(fresh, rand.Float64()) //nolint:gosec // jitter needs no secrecy
	return fresh, nil
}

// mechanism makes what the library asks on each new connection.
func (t *tokenSettings) mechanism() (sasl.Mechanism, error) {
	keeper := &tokenKeeper{settings: t}
	switch {
	case t.unsecured != nil:
		keeper.fetch = t.unsecured.make
	case t.file != "":
		keeper.fetch = t.readFile
	default:
		identity, err := tlsconfig.Open(t.tls, "trust in the token endpoint", slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, settingError(err)
		}
		keeper.fetch = func(ctx context.Context) (token, error) { return t.request(ctx, identity) }
	}
	extensions := t.extensions
	if t.unsecured != nil {
		extensions = t.unsecured.extensions
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		tok, err := keeper.get(ctx)
		if err != nil {
			var login *loginError
			if errors.As(err, &login) {
				return oauth.Auth{}, err
			}
			return oauth.Auth{}, &loginError{cause: err}
		}
		return oauth.Auth{Token: tok.text, Extensions: extensions}, nil
	}), nil
}

// loginError says why no token could be had. Its text holds no secret (I-9).
type loginError struct {
	cause error
	final bool // the endpoint has refused: trying again is of no use
}

func (e *loginError) Error() string { return fmt.Sprintf("no OAUTHBEARER token: %v", e.cause) }

func (e *loginError) Unwrap() error { return e.cause }
