package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Listener is one address of the REST API.
type Listener struct {
	Scheme string // http or https
	Host   string // "" means every interface
	Port   int    // 0 lets the system choose
}

// Address returns host:port for net.Listen.
func (l Listener) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// String returns the URL form.
func (l Listener) String() string { return l.Scheme + "://" + l.Address() }

// ParseListener reads an address such as http://:8083, http://0.0.0.0:8083 or
// https://[::1]:8443. 0.0.0.0 is kept: it means every IPv4 interface.
func ParseListener(text string) (Listener, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Listener{}, fmt.Errorf("%q is not a URL such as http://localhost:8083", text)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return Listener{}, fmt.Errorf("%q must start with http:// or https://", text)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return Listener{}, fmt.Errorf("%q must be only scheme, host and port, such as http://localhost:8083", text)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return Listener{}, fmt.Errorf("%q needs a port between 0 and 65535, such as http://localhost:8083", text)
	}
	return Listener{Scheme: scheme, Host: u.Hostname(), Port: int(port)}, nil
}

// HeaderRule is one rule of response.http.headers.config.
type HeaderRule struct {
	// Action is set, add, setDate or addDate.
	Action string
	Name   string
	Value  string
}

// ParseHeaderRules reads rules of the form "[action] name:value", separated by
// commas; a rule that has a comma itself stands in double quotes.
func ParseHeaderRules(text string) ([]HeaderRule, error) {
	var rules []HeaderRule
	for _, rule := range splitQuoted(text) {
		rule = strings.TrimSpace(rule)
		if rule == "" {
			continue
		}
		head, value, hasColon := strings.Cut(rule, ":")
		action, name, hasName := strings.Cut(strings.TrimSpace(head), " ")
		name = strings.TrimSpace(name)
		if !hasColon || !hasName || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("the rule %q is not of the form '[action] name:value'", rule)
		}
		switch action {
		case "set", "add", "setDate", "addDate":
		default:
			return nil, fmt.Errorf("the action %q is not one of set, add, setDate, addDate", action)
		}
		rules = append(rules, HeaderRule{action, name, strings.TrimSpace(value)})
	}
	return rules, nil
}

// splitQuoted splits at commas outside double quotes and drops the quotes.
func splitQuoted(text string) []string {
	var parts []string
	var part strings.Builder
	quoted := false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(parts, part.String())
}

// ParseByteSize reads a number of bytes with an optional unit: K, M, G, T are
// powers of 1000, Ki, Mi, Gi, Ti powers of 1024; a B at the end is ignored.
func ParseByteSize(text string) (int64, error) {
	s := strings.TrimSuffix(strings.TrimSpace(text), "B")
	digits := strings.TrimRight(s, "KMGTkmgti")
	unit := s[len(digits):]
	factors := map[string]float64{
		"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
		"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
	}
	factor, known := factors[strings.ToLower(unit)]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !known || math.IsNaN(n) || n <= 0 || n*factor < 1 || n*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size such as 512Mi or 1073741824", text)
	}
	return int64(n * factor), nil
}

// distance is the Levenshtein distance of two short ASCII texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Nearest returns the candidate most like name, or "" when none is close enough
// to be a likely slip of the keyboard.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", max(2, len(name)/4)+1
	for _, c := range candidates {
		if max(len(name)-len(c), len(c)-len(name)) >= bestDistance {
			continue // as far apart at least
		}
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}
