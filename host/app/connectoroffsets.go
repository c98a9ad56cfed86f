package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/worker"
)

// sourceOffsets opens the stores of source connectors' offsets: the worker's, or for a connector that has a topic of its
// own the union of both. Such a topic is opened for the first who asks, shared, and closed with the last.
type sourceOffsets struct {
	settings *config.Worker
	cluster  *store.OffsetTopic
	leased   func() error
	logger   *slog.Logger

	mu  sync.Mutex
	own map[string]*ownTopic
}

// ownTopic is the offsets topic of one connector.
type ownTopic struct {
	users  int // guarded by sourceOffsets.mu
	cancel context.CancelFunc
	opened chan struct{} // closed when the fields below are set
	topic  *store.OffsetTopic
	err    error
}

func newSourceOffsets(settings *config.Worker, cluster *store.OffsetTopic, leased func() error, logger *slog.Logger) *sourceOffsets {
	return &sourceOffsets{settings: settings, cluster: cluster, leased: leased, logger: logger, own: map[string]*ownTopic{}}
}

// of opens the store of a connector's offsets; release gives it back. Any goroutine may call it.
func (s *sourceOffsets) of(ctx context.Context, c *config.Connector) (offsets store.ClusterOffsets, release func(), err error) {
	name, own := c.OffsetsTopicOf(s.settings)
	if !own {
		return store.Guard(s.cluster, s.leased), func() {}, nil // I-5
	}
	clients, key, err := s.clientsOf(c)
	if err != nil {
		return nil, nil, err
	}
	spec := topicSpec("offset", s.settings.Cluster.OffsetTopic)
	spec.Name, spec.Setting = name, "offsets.storage.topic of connector "+c.Name
	t, release := s.use(key, func(ctx context.Context) (*store.OffsetTopic, error) { //nolint:contextcheck // it outlives the first who asks
		admin, err := kafka.NewAdmin(clients.admin)
		if err != nil {
			return nil, err
		}
		defer admin.Close()
		return store.OpenOffsetTopic(ctx, store.TopicClients{Admin: admin, Consumer: clients.consumer, Producer: clients.producer, Log: s.logger}, spec)
	})
	select {
	case <-t.opened:
		err = t.err
	case <-ctx.Done():
		err = fmt.Errorf("topic %s (%s) could not be read in time: %w", spec.Name, spec.Setting, context.Cause(ctx))
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return store.Guard(store.NewConnectorOffsets(t.topic, s.cluster, s.logger), s.leased), release, nil // I-5
}

// forWorker and forHerder are of, as each of them knows the store.
func (s *sourceOffsets) forWorker(ctx context.Context, c *config.Connector) (worker.SourceOffsets, func(), error) {
	return s.of(ctx, c)
}

func (s *sourceOffsets) forHerder(ctx context.Context, c *config.Connector) (store.OffsetStore, func(), error) {
	return s.of(ctx, c)
}

type offsetClients struct{ admin, consumer, producer kafka.ClientConfig }

// clientsOf are a connector's clients for its own topic; key is the same for the same topic and settings.
func (s *sourceOffsets) clientsOf(c *config.Connector) (clients offsetClients, key string, err error) {
	topic, _ := c.OffsetsTopicOf(s.settings)
	key = fmt.Sprintf("%q %q", c.Name, topic)
	for _, one := range []struct {
		kind  kafka.ClientKind
		props map[string]string
		to    *kafka.ClientConfig
	}{
		{kafka.AdminClient, c.OffsetsAdminProps(s.settings), &clients.admin},
		{kafka.ConsumerClient, c.OffsetsConsumerProps(s.settings), &clients.consumer},
		{kafka.ProducerClient, c.OffsetsProducerProps(s.settings), &clients.producer},
	} {
		if *one.to, _, err = kafka.ParseClientConfig(one.kind, one.props); err != nil {
			return clients, "", err
		}
		key += fmt.Sprintf(" %q", one.props)
	}
	return clients, key, nil
}

// use counts a user of a topic and opens it for the first one, beside them, so that nobody fails because another went away.
func (s *sourceOffsets) use(key string, open func(context.Context) (*store.OffsetTopic, error)) (t *ownTopic, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.own[key]
	if t == nil {
		ctx, cancel := context.WithTimeout(context.Background(), topicsTimeout)
		t = &ownTopic{cancel: cancel, opened: make(chan struct{})}
		s.own[key] = t
		go func() {
			defer close(t.opened)
			if t.topic, t.err = open(ctx); t.err != nil {
				s.forget(key, t) // the next one tries again
			}
		}()
	}
	t.users++
	return t, sync.OnceFunc(func() { s.release(key, t) })
}

func (s *sourceOffsets) forget(key string, t *ownTopic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own[key] == t {
		delete(s.own, key)
	}
}

// release closes the topic of the last user; it waits a second at most for writes that are under way.
func (s *sourceOffsets) release(key string, t *ownTopic) {
	s.mu.Lock()
	t.users--
	last := t.users == 0
	if last && s.own[key] == t {
		delete(s.own, key)
	}
	s.mu.Unlock()
	if !last {
		return
	}
	t.cancel()
	<-t.opened
	if t.topic != nil {
		if err := t.topic.Close(); err != nil {
			s.logger.Warn("an offsets topic was not closed cleanly", "error", err)
		}
	}
}

// cut gives up the writes of a worker that has lost its place (I-5). It does not wait.
func (s *sourceOffsets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.own {
		select {
		case <-t.opened:
			if t.topic != nil {
				t.topic.Cut()
			}
		default: // nothing was written yet
		}
	}
}
