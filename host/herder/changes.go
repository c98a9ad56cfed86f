package herder

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
)

// acceptNew checks a request for a new connector.
func (s *core) acceptNew(ctx context.Context, r CreateRequest) (name string, props map[string]string, target store.TargetState, err error) {
	name = javaTrim(r.Name)
	if target, err = targetOf(r.InitialState); err != nil {
		return "", nil, "", err
	}
	props, err = s.acceptNamed(ctx, name, r.Config)
	return name, props, target, err
}

// acceptNamed checks a whole configuration, whose name may be left out.
func (s *core) acceptNamed(ctx context.Context, name string, cfg Config) (map[string]string, error) {
	cfg = maps.Clone(cfg)
	if cfg == nil {
		cfg = Config{}
	}
	if err := checkName(name, cfg); err != nil {
		return nil, err
	}
	cfg["name"] = &name
	return s.accept(ctx, name, cfg)
}

// acceptPatch checks a change of single keys, and gives the configuration before and after it.
func (s *core) acceptPatch(ctx context.Context, name string, patch Config) (before, after map[string]string, err error) {
	current, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return nil, nil, notFound(name)
	}
	// Kafka Connect stores another name and keeps the old one in the URL; here that is refused. An empty one fails validation.
	if inner := patch["name"]; inner != nil && javaTrim(*inner) != "" {
		if err := checkName(name, patch); err != nil {
			return nil, nil, err
		}
	}
	cfg := Config{}
	for k, v := range current.Config {
		cfg[k] = &v
	}
	for k, v := range patch {
		if v == nil {
			delete(cfg, k)
		} else {
			cfg[k] = v
		}
	}
	after, err = s.accept(ctx, name, cfg)
	return current.Config, after, err
}

func changedMeanwhile(name string) *Error {
	e := failed(Conflict, "Connector %s was changed by another request at the same time; read its configuration and try again", name)
	e.RetryAfter = retrySoon
	return e
}

// accept validates a configuration for a connector and returns it as it is stored.
func (s *core) accept(ctx context.Context, name string, cfg Config) (map[string]string, error) {
	_, exists := s.configs.Snapshot().Connectors[name]
	process := name // the process that answers will run the connector
	if exists {
		process = "" // what runs is left in peace
	}
	infos, err := s.validate(ctx, process, cfg)
	if err != nil {
		return nil, err
	}
	if err := infos.Err(); err != nil {
		return nil, failed(BadRequest, "%s", err.Error())
	}
	props, _ := cfg.split()
	return props, nil
}

// split separates settings from the keys given as null, sorted.
func (c Config) split() (props map[string]string, nulls []string) {
	props = make(map[string]string, len(c))
	for k, v := range c {
		if v == nil {
			nulls = append(nulls, k)
		} else {
			props[k] = *v
		}
	}
	slices.Sort(nulls)
	return props, nulls
}

// String shows a configuration in messages, secrets hidden (I-9).
func (c Config) String() string {
	props, _ := c.split()
	m := config.NewMasker()
	m.AddProps(props)
	parts := make([]string, 0, len(c))
	for _, k := range slices.Sorted(maps.Keys(c)) {
		v := "null"
		if c[k] != nil {
			v = m.Value(k, *c[k])
		}
		parts = append(parts, k+"="+v)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func checkName(name string, cfg Config) error {
	if inner := cfg["name"]; inner != nil && *inner != name {
		return failed(BadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", *inner, name)
	}
	return nil
}

func targetOf(state TargetState) (store.TargetState, error) {
	switch TargetState(strings.ToUpper(string(state))) {
	case "", Running:
		return store.TargetStarted, nil
	case Paused:
		return store.TargetPaused, nil
	case Stopped:
		return store.TargetStopped, nil
	}
	return "", failed(BadRequest, "initial_state is %q; use RUNNING, PAUSED or STOPPED", state)
}

// javaTrim drops what Java's String.trim drops: blanks and control characters at the ends.
func javaTrim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
}
