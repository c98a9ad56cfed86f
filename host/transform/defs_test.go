package transform

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tailrace/tailrace/host/config"
)

// TestDefinitions compares the options of every class with those of Kafka Connect 4.1.0.
func TestDefinitions(t *testing.T) {
	raw, err := os.ReadFile("testdata/config_defs.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]struct {
		Name, Type, Importance, Width, DisplayName string
		Required                                   bool
		Default                                    any
		Validator                                  string
		Dependents                                 []string
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	kafkas := slices.DeleteFunc(slices.Clone(Classes()), func(c Class) bool { return strings.HasPrefix(c.Name, "tailrace.") })
	if len(want) != len(kafkas) {
		t.Errorf("want %d classes, have %d", len(want), len(kafkas))
	}
	for class, keys := range want {
		kind := config.TransformPlugin
		if strings.Contains(class, ".predicates.") {
			kind = config.PredicatePlugin
		}
		c, ok := Lookup(kind, class)
		if !ok {
			t.Errorf("no class %s", class)
			continue
		}
		if alias, ok := Lookup(kind, class[strings.LastIndexByte(class, '.')+1:]); !ok || alias.Name != class {
			t.Errorf("%s has no alias", class)
		}
		if len(keys) != len(c.Def.Keys()) {
			t.Errorf("%s: want %d options, have %d", class, len(keys), len(c.Def.Keys()))
			continue
		}
		for i, w := range keys {
			k := c.Def.Keys()[i]
			validator := ""
			if k.Validator != nil {
				validator = k.Validator.String()
			}
			got := fmt.Sprint(k.Name, k.Type, k.Importance, k.Width, k.Label(), k.Default.IsRequired(), validator, len(k.Dependents))
			if want := fmt.Sprint(w.Name, w.Type, w.Importance, w.Width, w.DisplayName, w.Required, w.Validator, len(w.Dependents)); got != want {
				t.Errorf("%s: want %s\n got %s", class, want, got)
			}
			if k.Documentation == "" {
				t.Errorf("%s: option %s has no documentation", class, k.Name)
			}
			if w.Required {
				continue
			}
			values, _ := config.NewDef(*k).Parse(nil)
			def := values[k.Name]
			if list, ok := def.([]string); ok {
				def = append([]any{}, toAny(list)...)
			}
			if fmt.Sprint(def) != fmt.Sprint(w.Default) {
				t.Errorf("%s: default of %s: want %v, got %v", class, k.Name, w.Default, def)
			}
		}
	}
}

func toAny(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}
