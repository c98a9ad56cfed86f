package connect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Configurations written for another connector of the same kind have keys that this one does not need or cannot honour. Both are
// defined, so that nobody believes that they work.

// RefusedKey is a key that cannot be honoured. Validation refuses it and says what to do instead; the empty text and the harmless
// values, which ask for nothing (a default of the other connector), are taken. Set the Type of a secret to [TypePassword].
func RefusedKey(name, instead string, harmless ...string) ConfigKey {
	return ConfigKey{Name: name, Internal: true, Importance: Low, Doc: "Not supported: " + instead + ".", Check: func(v string) error {
		if v = strings.TrimSpace(v); v == "" || slices.ContainsFunc(harmless, func(h string) bool { return strings.EqualFold(h, v) }) {
			return nil
		}
		return fmt.Errorf("this connector does not support it: %s", instead)
	}}
}

// IdleKey is a key that is taken and has no effect; why says what happens instead. [ConfigDef.Unused] tells of it.
func IdleKey(name, why string) ConfigKey {
	return ConfigKey{Name: name, Internal: true, Importance: Low, Doc: "Accepted and of no effect: " + why + ".", idle: why}
}

// Unused gives a sentence for each key of a configuration that has no effect, for a line in the log: idle keys, and keys that are not
// defined although they begin as the connector's own do (a typing mistake). The worker's keys and those of converters and transforms
// begin otherwise.
func (d *ConfigDef) Unused(cfg Config, beginnings ...string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(cfg)) {
		switch k := d.key(name); {
		case k != nil && k.idle != "":
			out = append(out, fmt.Sprintf("the key %q has no effect: %s", name, k.idle))
		case k == nil && slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(name, b) }):
			out = append(out, fmt.Sprintf("the key %q is not known to this connector and has no effect", name))
		}
	}
	return out
}
