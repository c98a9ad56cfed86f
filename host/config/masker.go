package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// minSecretBytes is the length from which a secret is replaced inside free text. A
// shorter one ("1", "no") would tear ordinary words apart and says little; as the
// whole value of a setting it is hidden at any length.
const minSecretBytes = 3

// minSecretLineBytes is the length from which one line of a secret of several lines
// (a PEM text) is hidden by itself.
const minSecretLineBytes = 12

// Masker hides secrets: what came out of a config provider, and values of PASSWORD
// keys. Everything that leaves the worker for a reader (logs, states with traces,
// REST answers, metrics) passes through one (I-9). It is built before use and then
// safe for several goroutines. The zero value and nil hide nothing.
type Masker struct {
	secrets   map[string]bool
	passwords map[string]bool // names of PASSWORD keys
	forms     []string        // what to look for in texts
}

// NewMasker returns a masker for the given secret texts. Empty ones are ignored.
func NewMasker(secrets ...string) *Masker {
	m := &Masker{secrets: map[string]bool{}, passwords: map[string]bool{}}
	m.AddSecrets(secrets...)
	return m
}

// AddSecrets adds secret texts.
func (m *Masker) AddSecrets(secrets ...string) {
	for _, s := range secrets {
		for _, form := range []string{s, strings.TrimSpace(s)} {
			if form != "" {
				m.secrets[form] = true
			}
		}
	}
	m.rebuild()
}

// AddProps adds the values of all keys in props that are of type PASSWORD in one
// of the definitions, or whose name says that they are secret (see [IsSecretName]).
// Values that are references to a provider are not secret themselves.
func (m *Masker) AddProps(props map[string]string, defs ...*Def) {
	for name, value := range props {
		if isSecretKey(name, defs) {
			m.passwords[name] = true
			if !reference.MatchString(value) {
				m.secrets[value] = true
			}
			if strings.HasSuffix(name, "sasl.jaas.config") {
				for _, secret := range jaasSecrets(value) {
					m.secrets[secret] = true
				}
			}
		}
	}
	delete(m.secrets, "")
	m.rebuild()
}

// rebuild lists the forms in which a secret may turn up inside a text: as it is,
// inside a JSON string, inside a URL, and line by line for keys and certificates.
func (m *Masker) rebuild() {
	forms := map[string]bool{}
	for secret := range m.secrets {
		forms[secret] = true
		forms[jsonEscaped(secret)] = true
		forms[url.QueryEscape(secret)] = true
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= minSecretLineBytes {
				forms[line] = true
			}
		}
	}
	m.forms = m.forms[:0]
	for form := range forms {
		if len(form) >= minSecretBytes {
			m.forms = append(m.forms, form)
		}
	}
	slices.Sort(m.forms)
}

// Text returns the text with every secret in it replaced by [Hidden]. Secrets that
// overlap are replaced together, so that no part of one stays behind.
func (m *Masker) Text(text string) string {
	if m == nil {
		return text
	}
	var spans [][2]int
	for _, form := range m.forms {
		for from := 0; ; from++ {
			at := strings.Index(text[from:], form)
			if at < 0 {
				break
			}
			from += at
			spans = append(spans, [2]int{from, from + len(form)})
		}
	}
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	var out strings.Builder
	end := 0
	for i := 0; i < len(spans); {
		start, stop := spans[i][0], spans[i][1]
		for i++; i < len(spans) && spans[i][0] < stop; i++ {
			stop = max(stop, spans[i][1])
		}
		out.WriteString(text[end:start])
		out.WriteString(Hidden)
		end = stop
	}
	out.WriteString(text[end:])
	return out.String()
}

// Value returns the value of a setting as it may be shown.
func (m *Masker) Value(name, value string) string {
	if m == nil {
		return value
	}
	if m.secrets[value] || m.passwords[name] && value != "" && !reference.MatchString(value) {
		return Hidden
	}
	return m.Text(value)
}

// Props returns a copy of settings as it may be shown.
func (m *Masker) Props(props map[string]string) map[string]string {
	out := make(map[string]string, len(props))
	for name, value := range props {
		out[name] = m.Value(name, value)
	}
	return out
}

// Error returns an error whose text is masked and which wraps nothing, so that the
// original text cannot be reached through it; nil stays nil.
func (m *Masker) Error(err error) error {
	if err == nil {
		return nil
	}
	if masked := m.Text(err.Error()); masked != err.Error() {
		return maskedError(masked)
	}
	return err
}

// jaasSecret finds the secret options of a text that is not quite a login module.
var jaasSecret = regexp.MustCompile(`(?i)(?:password|secret|token)\w*\s*=\s*["']([^"']*)["']`)

// jaasSecrets are the secret options of a login module, which may turn up apart
// from the rest of sasl.jaas.config.
func jaasSecrets(text string) (secrets []string) {
	for _, option := range jaasSecret.FindAllStringSubmatch(text, -1) {
		secrets = append(secrets, option[1])
	}
	module, _ := ParseJAAS(text)
	for name, value := range module.Options {
		if name = strings.ToLower(name); IsSecretName(name) || strings.HasSuffix(name, "key") && strings.HasPrefix(name, "ssl.") {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

type maskedError string

func (e maskedError) Error() string { return string(e) }

// jsonEscaped returns s as it stands inside a JSON or Go string literal.
func jsonEscaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
}

// isSecretKey reports whether a key's value must be hidden.
func isSecretKey(name string, defs []*Def) bool {
	for _, d := range defs {
		if d == nil {
			continue
		}
		if k := d.Key(name); k != nil {
			return k.Type == Password
		}
	}
	return IsSecretName(name)
}

// IsSecretName reports whether a name that no definition knows sounds like a
// secret: Kafka's PASSWORD keys at any prefix, and names that end in password,
// passphrase, secret, token, or the like. It is used where no definition exists,
// such as options of converters.
func IsSecretName(name string) bool {
	name = strings.ToLower(name)
	for _, key := range clientSecrets() {
		if name == key || strings.HasSuffix(name, "."+key) {
			return true
		}
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "access_key", "private_key", "credentials"} {
		if strings.HasSuffix(last, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "basic.auth.user.info") || strings.HasSuffix(name, "api.key") ||
		strings.HasSuffix(name, "access.key") || strings.HasSuffix(name, "secret.key") || strings.HasSuffix(name, "private.key")
}

// clientSecrets are the names of Kafka's own PASSWORD keys.
var clientSecrets = sync.OnceValue(func() []string {
	var names []string
	for _, k := range slices.Concat(tlsKeys, saslKeys) {
		if k.Type == Password {
			names = append(names, k.Name)
		}
	}
	return names
})
