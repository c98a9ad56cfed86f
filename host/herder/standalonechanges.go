package herder

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
)

// settleTimeout is how long a request waits for a connector to show what became of it. A connector that takes longer is
// no error: its status tells.
const settleTimeout = 5 * time.Second

// Create implements Herder.
func (s *Standalone) Create(ctx context.Context, r CreateRequest) (Connector, error) {
	name, props, target, err := s.acceptNew(ctx, r)
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
func (s *Standalone) Put(ctx context.Context, name string, cfg Config, _ []string) (c Connector, created bool, err error) {
	props, err := s.acceptNamed(ctx, name, cfg)
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
func (s *Standalone) Patch(ctx context.Context, name string, patch Config, _ []string) (Connector, error) {
	current, props, err := s.acceptPatch(ctx, name, patch)
	if err != nil {
		return Connector{}, err
	}
	s.mu.Lock()
	now, ok := s.configs.Snapshot().Connectors[name]
	switch {
	case !ok:
		err = notFound(name)
	case !maps.Equal(now.Config, current):
		err = changedMeanwhile(name)
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
	k := s.crew.send(name, letter{anew: wish{connector: true}})
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	// Running late is no failure: the change is stored and its status will tell.
	_ = k.await(ctx, func(now seen) bool { return now.version >= version && now.reported })
	return s.Connector(name)
}

// Delete implements Herder. Committed offsets stay.
func (s *Standalone) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	c, exists := s.configs.Snapshot().Connectors[name]
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
	if err := s.crew.send(name, letter{}).await(ctx, func(now seen) bool { return now.version >= version }); err != nil {
		return err
	}
	s.tellDeleted(ctx, name, c.Config)
	return nil
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
	case s.isHeld(name) && target != store.TargetStopped:
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
	return s.crew.send(name, letter{}), nil
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
