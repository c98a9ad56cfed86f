package config

import (
	"maps"
	"slices"
	"strings"
)

// minSecretBytes is the length from which a secret is replaced inside free text. A
// shorter one ("1", "no") would tear ordinary words apart and says little; as the
// whole value of a setting it is hidden at any length.
const minSecretBytes = 3

// Masker hides secrets: what came out of a config provider, and values of PASSWORD
// keys. Everything that leaves the worker for a reader (logs, states with traces,
// REST answers, metrics) passes through one (I-9). It is built before use and then
// safe for several goroutines. The zero value and nil hide nothing.
type Masker struct {
	secrets   map[string]bool
	passwords map[string]bool // names of PASSWORD keys
	replacer  *strings.Replacer
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
				m.secrets[value] = value != ""
			}
		}
	}
	delete(m.secrets, "")
	m.rebuild()
}

func (m *Masker) rebuild() {
	// The longest first: a secret may be the beginning of another one.
	texts := slices.SortedFunc(maps.Keys(m.secrets), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, s := range texts {
		for _, form := range []string{s, jsonEscaped(s)} {
			if len(form) >= minSecretBytes {
				pairs = append(pairs, form, Hidden)
			}
		}
	}
	m.replacer = strings.NewReplacer(pairs...)
}

// Text returns the text with every secret in it replaced by [Hidden].
func (m *Masker) Text(text string) string {
	if m == nil || m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
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
	for _, k := range slices.Concat(tlsKeys, saslKeys) {
		if k.Type == Password && (name == k.Name || strings.HasSuffix(name, "."+k.Name)) {
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
