package plan

import (
	"regexp"
	"strings"
)

// reference is a value that a config provider resolves; it is no secret itself.
var reference = regexp.MustCompile(`^\s*\$\{[^}]+\}\s*$`)

// Shown is a value as people may see it.
func Shown(key, value string, secret func(key string) bool) *string {
	if value != "" && secret(key) && !reference.MatchString(value) {
		value = Hidden
	}
	return &value
}

// minSecretBytes is the length from which a secret is looked for in texts; hiding shorter ones would only spoil words.
const minSecretBytes = 4

// Redact hides the secrets of a configuration in a text, such as a worker's error.
func Redact(text string, config map[string]string, secret func(key string) bool) string {
	for key, value := range config {
		if len(value) >= minSecretBytes && *Shown(key, value, secret) == Hidden {
			text = strings.ReplaceAll(text, value, Hidden)
		}
	}
	return text
}
