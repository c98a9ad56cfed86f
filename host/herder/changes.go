package herder

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
)

// settleTimeout is how long a request waits for a connector to show what became of it. A connector that takes longer is
// no error: its status tells.
const settleTimeout = 5 * time.Second

// Create implements Herder.
func (s *Standalone) Create(ctx context.Context, r CreateRequest) (Connector, error) {
	cfg := maps.Clone(r.Config)
	if cfg == nil {
		cfg = Config{}
	}
	name := javaTrim(r.Name)
	if err := checkName(name, cfg); err != nil {
		return Connector{}, err
	}
	cfg["name"] = &name
	target, err := targetOf(r.InitialState)
	if err != nil {
		return Connector{}, err
	}
	props, err := s.accept(ctx, name, cfg)
	if err != nil {
		return Connector{}, err
	}
	s.mu.Lock()
	if _, exists := s.configs.Snapshot().Connectors[name]; exists {
		s.mu.Unlock()
		return Connector{}, failed(Conflict, "Connector %s already exists", name)
	}
	err = s.configs.PutConnector(ctx, name, props, target) // I-8
	s.mu.Unlock()
	if err != nil {
		return Connector{}, err
	}
	return s.settled(ctx, name)
}

// Put implements Herder.
func (s *Standalone) Put(ctx context.Context, name string, cfg Config) (c Connector, created bool, err error) {
	cfg = maps.Clone(cfg)
	if err := checkName(name, cfg); err != nil {
		return Connector{}, false, err
	}
	cfg["name"] = &name
	props, err := s.accept(ctx, name, cfg)
	if err != nil {
		return Connector{}, false, err
	}
	s.mu.Lock()
	_, exists := s.configs.Snapshot().Connectors[name]
	err = s.configs.PutConnector(ctx, name, props, "") // I-8
	s.mu.Unlock()
	if err != nil {
		return Connector{}, false, err
	}
	c, err = s.settled(ctx, name)
	return c, !exists, err
}

// Patch implements Herder.
func (s *Standalone) Patch(ctx context.Context, name string, patch Config) (Connector, error) {
	current, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return Connector{}, notFound(name)
	}
	// Kafka Connect stores another name and keeps the old one in the URL; here that is refused.
	if err := checkName(name, patch); err != nil {
		return Connector{}, err
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
	props, err := s.accept(ctx, name, cfg)
	if err != nil {
		return Connector{}, err
	}
	s.mu.Lock()
	now, ok := s.configs.Snapshot().Connectors[name]
	switch {
	case !ok:
		err = notFound(name)
	case !maps.Equal(now.Config, current.Config):
		e := failed(Conflict, "Connector %s was changed by another request at the same time; read its configuration and try again", name)
		e.RetryAfter = retrySoon
		err = e
	default:
		err = s.configs.PutConnector(ctx, name, props, "") // I-8
	}
	s.mu.Unlock()
	if err != nil {
		return Connector{}, err
	}
	return s.settled(ctx, name)
}

// settled wakes the keeper and waits, for a limited time, until the connector shows what became of the change.
// Also an update to an equal configuration restarts the connector, as in Kafka Connect.
func (s *Standalone) settled(ctx context.Context, name string) (Connector, error) {
	version := s.configs.Snapshot().Version
	k := s.send(name, letter{anew: wish{connector: true}})
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	// Running late is no failure: the change is stored and its status will tell.
	_ = k.await(ctx, func(now seen) bool { return now.version >= version && now.reported })
	return s.Connector(name)
}

// Delete implements Herder. Committed offsets stay.
func (s *Standalone) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	_, exists := s.configs.Snapshot().Connectors[name]
	if !exists {
		s.mu.Unlock()
		return notFound(name)
	}
	err := s.configs.DeleteConnector(ctx, name) // I-8
	version := s.configs.Snapshot().Version
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.send(name, letter{}).await(ctx, func(now seen) bool { return now.version >= version })
}

// Pause implements Herder.
func (s *Standalone) Pause(ctx context.Context, name string) error {
	_, err := s.setTarget(ctx, name, store.TargetPaused)
	return err
}

// Resume implements Herder.
func (s *Standalone) Resume(ctx context.Context, name string) error {
	_, err := s.setTarget(ctx, name, store.TargetStarted)
	return err
}

// Stop implements Herder.
func (s *Standalone) Stop(ctx context.Context, name string) error {
	k, err := s.setTarget(ctx, name, store.TargetStopped)
	if err != nil {
		return err
	}
	version := s.configs.Snapshot().Version
	return k.await(ctx, func(now seen) bool { return now.version >= version })
}

func (s *Standalone) setTarget(ctx context.Context, name string, target store.TargetState) (*keeper, error) {
	s.mu.Lock()
	c, exists := s.configs.Snapshot().Connectors[name]
	var err error
	switch {
	case !exists:
		err = failed(NotFound, "Unknown connector %s", name)
	case s.held[name] && target != store.TargetStopped:
		err = s.heldError(name)
	case target == store.TargetStopped && len(c.Tasks) > 0:
		if err = s.configs.PutTasks(ctx, name, nil); err != nil {
			break
		}
		fallthrough
	default:
		// Pausing a stopped connector leaves it without tasks, as in Kafka Connect.
		err = s.configs.PutTargetState(ctx, name, target) // I-8
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.send(name, letter{}), nil
}

// accept validates a configuration for a connector and returns it as it is stored.
func (s *Standalone) accept(ctx context.Context, name string, cfg Config) (map[string]string, error) {
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

// Load creates or replaces the connector of a file given on the command line.
func (s *Standalone) Load(ctx context.Context, file config.ConnectorFile) error {
	cfg := Config{}
	for k, v := range file.Config {
		cfg[k] = &v
	}
	_, err := s.Create(ctx, CreateRequest{Name: file.Name, Config: cfg, InitialState: TargetState(file.InitialState)})
	if err != nil {
		return fmt.Errorf("connector %s: %w", file.Name, err)
	}
	return nil
}
