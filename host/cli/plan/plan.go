package plan

import (
	"fmt"
	"maps"
	"slices"
	"sort"
)

// Hidden stands where a secret would.
const Hidden = "[hidden]"

// Wanted is a connector as a file describes it.
type Wanted struct {
	File, Name string
	Config     map[string]string
	// InitialState is RUNNING, PAUSED or STOPPED, or "" when the file does not say; it counts for new connectors only.
	InitialState string
}

// Action is what has to be done with a connector.
type Action string

// The actions.
const (
	Create    Action = "create"
	Update    Action = "update"
	Unchanged Action = "unchanged"
)

// Change is a key whose value differs, with secrets hidden. Old or New is nil where the key is missing.
type Change struct {
	Key string  `json:"key"`
	Old *string `json:"old"`
	New *string `json:"new"`
}

// Step is what has to be done with one connector.
type Step struct {
	Name    string   `json:"connector"`
	File    string   `json:"file"`
	Action  Action   `json:"action"`
	Changes []Change `json:"changes"`
	Wanted  Wanted   `json:"-"`
}

// Steps compares files with the connectors of a worker, by name. secret tells which keys to hide. The order is that of
// the names.
func Steps(wanted []Wanted, current map[string]map[string]string, secret func(class, key string) bool) ([]Step, error) {
	wanted = slices.SortedFunc(slices.Values(wanted), func(a, b Wanted) int {
		if a.Name < b.Name {
			return -1
		} else if a.Name > b.Name {
			return 1
		}
		return 0
	})
	steps := make([]Step, 0, len(wanted))
	for i, w := range wanted {
		if i > 0 && wanted[i-1].Name == w.Name {
			return nil, fmt.Errorf("%s and %s both describe the connector %s; keep one", wanted[i-1].File, w.File, w.Name)
		}
		for _, key := range slices.Sorted(maps.Keys(w.Config)) {
			if w.Config[key] == Hidden {
				return nil, fmt.Errorf("%s: the value of %s is %s, which stands for a secret that was not shown; write the secret, or a reference such as ${file:…}", w.File, key, Hidden)
			}
		}
		step := Step{Name: w.Name, File: w.File, Action: Create, Wanted: w}
		now, exists := current[w.Name]
		hide := func(key string) bool { return secret(w.Config["connector.class"], key) }
		step.Changes = Diff(withName(now, w.Name, exists), withName(w.Config, w.Name, true), hide)
		switch {
		case exists && len(step.Changes) == 0:
			step.Action = Unchanged
		case exists:
			step.Action = Update
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// withName adds the name, which a worker adds too when a file leaves it out.
func withName(config map[string]string, name string, there bool) map[string]string {
	if !there || config["name"] != "" {
		return config
	}
	named := maps.Clone(config)
	if named == nil {
		named = map[string]string{}
	}
	named["name"] = name
	return named
}

// Diff lists the keys whose values differ, sorted.
func Diff(before, after map[string]string, secret func(key string) bool) []Change {
	changes := []Change{}
	for key, value := range after {
		old, there := before[key]
		switch {
		case !there:
			changes = append(changes, Change{Key: key, New: Shown(key, value, secret)})
		case old != value:
			changes = append(changes, Change{key, Shown(key, old, secret), Shown(key, value, secret)})
		}
	}
	for key, old := range before {
		if _, stays := after[key]; !stays {
			changes = append(changes, Change{Key: key, Old: Shown(key, old, secret)})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Key < changes[j].Key })
	return changes
}

// Patch is what to send so that before becomes after: nil removes a key.
func Patch(before, after map[string]string) map[string]*string {
	patch := map[string]*string{}
	for _, c := range Diff(before, after, func(string) bool { return false }) {
		patch[c.Key] = c.New
	}
	return patch
}

// Masked is a configuration with its secrets hidden.
func Masked(config map[string]string, secret func(key string) bool) map[string]string {
	out := make(map[string]string, len(config))
	for key, value := range config {
		out[key] = *Shown(key, value, secret)
	}
	return out
}

// Unmasked puts back the secrets of before where after still has [Hidden].
func Unmasked(after, before map[string]string) map[string]string {
	out := maps.Clone(after)
	for key, value := range out {
		if old, there := before[key]; there && value == Hidden {
			out[key] = old
		}
	}
	return out
}
