package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/tailrace/tailrace/host/access"
	"github.com/tailrace/tailrace/host/audit"
)

// Security says who is let in and what is written down. The zero value lets
// everybody do everything, as Kafka Connect without extensions.
type Security struct {
	Gate  *access.Gate // nil: nobody is asked
	Audit *audit.Log   // nil: nothing is written down
	// OpenHealth answers GET /health to everybody, for probes that cannot log in.
	OpenHealth bool
	Logger     *slog.Logger // may be nil
}

// guard stands before every request.
type guard struct {
	Security
	guesses *throttle // wrong passwords of a client for a name
}

func newGuard(s Security) *guard {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &guard{Security: s, guesses: newThrottle(guessesPerSecond, guessesAtOnce)}
}

// visit is one request: who asks, with which rights, about which connector.
type visit struct {
	who       access.Identity
	rights    access.Rights
	connector string
	refused   string // why, when it was refused
	byWorker  bool   // another worker of the cluster, as it says
}

type visitKey struct{}

// visitOf returns the visit of a guarded request.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	if v == nil {
		v = &visit{} // has no rights at all
	}
	return v
}

// protect lets a request through to next when it may be made, and writes it down. path is the route, as in permissions.
func (g *guard) protect(method, path string, next http.HandlerFunc) http.HandlerFunc {
	p := needs(method, path)
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{connector: param(r, "connector")}
		recorder := &recorder{ResponseWriter: w}
		defer func() { g.write(r, v, p, recorder.status) }()
		if err := g.admit(r, v, p, path); err != nil {
			v.refused = err.Error()
			g.turnAway(recorder, err)
			return
		}
		next(recorder, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	}
}

// errThrottled and forbidden are refusals beside those of package access.
var errThrottled = errors.New("too many wrong passwords; wait a few seconds")

type forbidden struct{ message string }

func (e forbidden) Error() string { return e.message }

// admit fills v, or says why the request may not be made.
func (g *guard) admit(r *http.Request, v *visit, p permission, path string) error {
	if g.Gate == nil {
		v.who = access.Identity{Kind: access.Anonymous}
		v.rights = access.Everything().Rights(v.who)
		return nil
	}
	id, err := g.enter(r)
	switch {
	case errors.Is(err, access.ErrNothingShown) && p.on == signed:
		v.byWorker = true // without rights: the signature decides
		return nil
	case errors.Is(err, access.ErrNothingShown) && g.OpenHealth && path == "/health":
		return nil
	case err != nil:
		return err
	}
	v.who, v.rights = id, g.Gate.Rights(id)
	return v.may(p)
}

// enter asks the gate. Wrong passwords are counted per client and name, right ones are not.
func (g *guard) enter(r *http.Request) (access.Identity, error) {
	shown, ok := credentials(r)
	if !ok {
		return access.Identity{}, fmt.Errorf("%w: the header Authorization is neither Basic nor Bearer", access.ErrRefused)
	}
	if !shown.HasPassword {
		return g.Gate.Enter(r.Context(), shown)
	}
	key := client(r.RemoteAddr) + " " + shown.User
	if !g.guesses.take(key) {
		return access.Identity{}, errThrottled
	}
	id, err := g.Gate.Enter(r.Context(), shown)
	if err == nil {
		g.guesses.give(key)
	}
	return id, err
}

// credentials reads what a client shows.
func credentials(r *http.Request) (c access.Credentials, ok bool) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Certificate = r.TLS.PeerCertificates[0]
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return c, true
	}
	if c.User, c.Password, c.HasPassword = r.BasicAuth(); c.HasPassword {
		return c, true
	}
	scheme, token, _ := strings.Cut(header, " ")
	c.Token = strings.TrimSpace(token)
	return c, strings.EqualFold(scheme, "Bearer") && c.Token != ""
}

// may tells whether the visitor has what the request needs.
func (v *visit) may(p permission) error {
	switch p.on {
	case named:
		return v.mayOn(v.connector, p.role)
	case everywhere:
		if have := v.rights.Everywhere(); have < p.role {
			return forbidden{fmt.Sprintf("%s has the role %s on all connectors; this needs %s", v.who, have, p.role)}
		}
	case somewhere:
		if have := v.rights.Anywhere(); have < p.role {
			return forbidden{fmt.Sprintf("%s has at most the role %s on any connector; this needs %s", v.who, have, p.role)}
		}
	case insiders, signed:
	}
	return nil
}

func (v *visit) mayOn(connector string, role access.Role) error {
	if have := v.rights.On(connector); have < role {
		return forbidden{fmt.Sprintf("%s has the role %s on connector %s; this needs %s", v.who, have, connector, role)}
	}
	return nil
}

// allow checks a role on a connector that only the body of the request names. It answers when it is missing.
func allow(w http.ResponseWriter, r *http.Request, connector string, role access.Role) bool {
	v := visitOf(r)
	v.connector = connector
	err := v.mayOn(connector, role)
	if err != nil {
		v.refused = err.Error()
		problem(w, http.StatusForbidden, err.Error())
	}
	return err == nil
}

// turnAway answers a refused request. What exactly was wrong with credentials stands in the audit log only.
func (g *guard) turnAway(w http.ResponseWriter, err error) {
	var f forbidden
	switch {
	case errors.As(err, &f):
		problem(w, http.StatusForbidden, f.message)
	case errors.Is(err, errThrottled):
		w.Header().Set("Retry-After", "2")
		problem(w, http.StatusTooManyRequests, "Too many wrong passwords from this address for this user")
	case errors.Is(err, access.ErrUnavailable):
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "The credentials cannot be checked now")
	default:
		basic, bearer := g.Gate.Asks()
		if basic {
			w.Header().Add("WWW-Authenticate", `Basic realm="tailrace", charset="UTF-8"`)
		}
		if bearer {
			w.Header().Add("WWW-Authenticate", "Bearer")
		}
		problem(w, http.StatusUnauthorized, "User cannot access the resource.") // Kafka Connect's text
	}
}

// write writes the request down.
func (g *guard) write(r *http.Request, v *visit, p permission, status int) {
	e := audit.Event{
		Who: v.who.String(), From: host(r.RemoteAddr), Action: p.action, Connector: v.connector,
		Method: r.Method, Path: r.URL.EscapedPath(), Status: status, Outcome: audit.Done, Reason: v.refused,
	}
	if v.byWorker {
		e.Who = "worker"
	}
	switch {
	case v.refused != "":
		e.Outcome = audit.Refused
	case status >= http.StatusBadRequest || status == 0:
		e.Outcome = audit.Failed
	}
	g.Audit.Write(r.Context(), e, r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions)
}

// host is the address of a client without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int // 0 when nothing was answered
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 || w.status < http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, for answers that go on.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
