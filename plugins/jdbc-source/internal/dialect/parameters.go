package dialect

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameters takes the query parameters of a URL one by one; what is left at the end is not known.
type parameters struct {
	values   map[string]string // under lower case names
	names    map[string]string // as they were written
	warnings []string
}

func (p *parameters) parse(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the parameters behind ? in the address are not valid")
	}
	p.names = map[string]string{}
	for k, v := range values {
		p.values[strings.ToLower(k)], p.names[strings.ToLower(k)] = v[len(v)-1], k
	}
	return nil
}

// take gives the value of the last of the names that is there.
func (p *parameters) take(names ...string) string {
	found := ""
	for _, name := range names {
		if v, ok := p.values[strings.ToLower(name)]; ok {
			delete(p.values, strings.ToLower(name))
			found = v
		}
	}
	return found
}

// duration takes a number of units.
func (p *parameters) duration(name string, unit time.Duration) (time.Duration, error) {
	text := p.take(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("the parameter %s of the address is no number", name)
	}
	return time.Duration(n) * unit, nil
}

// credentials takes user and password, which the keys of the connector go before.
func (p *parameters) credentials(o *Options, user, password string) {
	for _, u := range []string{p.take("user"), user} {
		if o.User == "" {
			o.User = u
		}
	}
	for _, w := range []string{p.take("password"), password} {
		if w == "" {
			continue
		}
		p.warn("the address holds a password, which everybody sees who may read the configuration; move it to the key \"connection.password\"")
		if o.Password == "" {
			o.Password = w
		}
	}
}

func (p *parameters) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.warnings, text) {
		p.warnings = append(p.warnings, text)
	}
}

// ignore takes parameters that have no effect here, and says why.
func (p *parameters) ignore(why string, names ...string) {
	for _, n := range names {
		if _, ok := p.values[strings.ToLower(n)]; ok {
			p.warn("the parameter %s of the address has no effect: %s", n, why)
			delete(p.values, strings.ToLower(n))
		}
	}
}

const javaOnly = "it concerns the inner workings of the Java driver"

// guards are parts of names of parameters that make a connection safer: they may not be ignored.
var guards = []string{"ssl", "tls", "cert", "trust", "gss", "krb", "kerberos", "sspi", "auth", "channel", "require"}

// left warns of parameters that nobody took, as the Java drivers ignore what they do not know.
func (p *parameters) left() error {
	for _, k := range slices.Sorted(maps.Keys(p.values)) {
		name := p.names[k]
		if slices.ContainsFunc(guards, func(g string) bool { return strings.Contains(k, g) }) {
			return fmt.Errorf("the parameter %s of the address is not supported, and without it the connection might be less safe than you mean", name)
		}
		p.warn("the parameter %s of the address is not known to this connector and has no effect", name)
	}
	return nil
}
