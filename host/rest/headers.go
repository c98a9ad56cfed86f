package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HeaderRule is a rule of response.http.headers.config.
type HeaderRule struct {
	Action      string // set, add, setDate or addDate
	Name, Value string // for the dates: milliseconds after the request
}

// CORS are access.control.allow.*; without an origin there are no such headers.
type CORS struct {
	AllowOrigin  string   // * or a comma list of origins
	AllowMethods []string // empty: GET, POST and HEAD
}

// withHeaders adds what the operator asked for to every response.
func withHeaders(rules []HeaderRule, next http.Handler) http.Handler {
	if len(rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, rule := range rules {
			value := rule.Value
			if strings.HasSuffix(rule.Action, "Date") {
				after, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				value = time.Now().Add(time.Duration(after) * time.Millisecond).UTC().Format(http.TimeFormat)
			}
			if strings.HasPrefix(rule.Action, "add") {
				w.Header().Add(rule.Name, value)
			} else {
				w.Header().Set(rule.Name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// allows tells whether pages of an origin may call the API.
func (c CORS) allows(origin string) bool {
	for known := range strings.SplitSeq(c.AllowOrigin, ",") {
		if known = strings.TrimSpace(known); known != "" && (known == "*" || known == origin) {
			return true
		}
	}
	return false
}

// sameOrigin refuses changes that a page of another origin makes a browser send:
// the browser would add passwords or certificates that it has for this worker, and no answer is needed to do harm.
func sameOrigin(c CORS, next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := protection.Check(r); err != nil && !c.allows(r.Header.Get("Origin")) {
			problem(w, http.StatusForbidden, "A page of another origin may not change anything here; name the origin in access.control.allow.origin")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withCORS lets pages of other origins call the API. A preflight is answered here.
func withCORS(c CORS, next http.Handler) http.Handler {
	if c.AllowOrigin == "" {
		return next
	}
	methods := c.AllowMethods
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodPost, http.MethodHead}
	}
	const requested = "Access-Control-Request-Method"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		w.Header().Add("Vary", "Origin")
		if origin == "" || !c.allows(origin) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions || r.Header.Get(requested) == "" {
			next.ServeHTTP(w, r)
			return
		}
		if slices.Contains(methods, r.Header.Get(requested)) {
			w.Header().Set("Access-Control-Allow-Methods", strings.Join(methods, ","))
			w.Header().Set("Access-Control-Allow-Headers", "X-Requested-With,Content-Type,Accept,Origin")
			w.Header().Set("Access-Control-Max-Age", "1800")
		}
		w.WriteHeader(http.StatusOK)
	})
}
