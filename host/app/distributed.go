package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/metrics"
	"github.com/tailrace/tailrace/host/rest"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/host/worker"
)

// topicsTimeout is how long a worker tries to create, check and read the internal topics when it starts.
const topicsTimeout = 5 * time.Minute

// pluginsTimeout is how long it waits for plugins that must describe themselves before it joins its group.
const pluginsTimeout = 10 * time.Second

// distributed is `tailrace distributed`.
func (a *app) distributed(ctx context.Context, o cli.Standalone) error {
	props, err := config.ReadProperties(o.WorkerFile)
	if err != nil {
		return err
	}
	settings, warnings, err := config.ParseWorker(config.Distributed, props)
	if err != nil {
		return fmt.Errorf("%s: %w", o.WorkerFile, err)
	}
	logger, levels := newLogger(o.Logging, os.Stderr)
	for _, w := range warnings {
		logger.Warn(w.String(), "file", o.WorkerFile)
	}
	return a.run(ctx, plan{settings: settings, file: o.WorkerFile, logger: logger, levels: levels})
}

// startDistributed brings up a worker of a cluster.
func (p *parts) startDistributed(ctx context.Context) error {
	c := p.settings.Cluster
	if p.settings.REST.Auth.Enabled() && c.Protocol != cluster.ProtocolSessioned {
		return fmt.Errorf("connect.protocol=%s: workers do not sign what they ask of each other then, so that it cannot be told from a request "+
			"without a login, and rest.auth settings ask for one; set sessioned, the default", c.Protocol)
	}
	b, err := p.startBase(ctx)
	if err != nil {
		return err
	}
	s, err := p.openStores(ctx)
	if err != nil {
		return err
	}
	// So that the group knows at once what can run here; plugins that take longer are told when they are there.
	looking, cancel := context.WithTimeout(ctx, pluginsTimeout)
	_ = b.catalogue.Settled(looking)
	cancel()
	peers := rest.NewPeers(p.peerTransport())
	p.onClose(func(context.Context) error { peers.Close(); return nil })
	var member atomic.Pointer[cluster.Member]
	leased := func() error { // I-5
		if m := member.Load(); m != nil {
			return m.Leased()
		}
		return nil // nothing runs before it has joined
	}
	s.statuses.SetPlace(store.Place{Leased: leased, Generation: func() int {
		if m := member.Load(); m != nil {
			return int(m.Generation())
		}
		return 0
	}})
	s.leased = leased
	s.sources = newSourceOffsets(p.settings, s.offsets, leased, p.logger)
	h, err := herder.OpenDistributed(ctx, herder.DistributedConfig{
		Settings: p.settings, Plugins: b.catalogue, Processes: b.host,
		Worker: func(l worker.Listener, exactlyOnce worker.ExactlyOnce) herder.Worker { //nolint:contextcheck // lives until close
			if !p.settings.ExactlyOnceSourceEnabled() {
				exactlyOnce = nil
			}
			return p.newWorker(b, store.Guard(s.offsets, leased), s.sources.forWorker)(l, exactlyOnce)
		},
		Configs: s.openConfigs, Statuses: s.statuses, Offsets: s.offsets, OffsetsOf: s.sources.forHerder,
		Join: func(configs cluster.ConfigLog, runner cluster.Runner) (herder.Membership, error) { //nolint:contextcheck // lives until close
			m, err := p.join(b, configs, runner, s.cut)
			member.Store(m)
			return m, err
		},
		Peers: peers, Fence: p.fence, SetLevel: p.setLevel,
		WorkerID: p.advertised.Host, Logger: p.logger, About: b.about,
	})
	if err != nil {
		return err
	}
	p.herder, p.peers, p.setClusterLevel = h, peers, h.SetClusterLevel
	p.membership = func() metrics.Membership { return membershipOf(member.Load()) }
	p.serve()
	p.followPlugins(b, h.PluginsChanged)
	// Closed first: while requests are still answered, the others take over.
	p.onClose(h.Close)
	return nil
}

// membershipOf is what the figures show of a membership.
func membershipOf(m *cluster.Member) metrics.Membership {
	if m == nil {
		return metrics.Membership{}
	}
	view, rounds := m.View(), m.Rounds()
	out := metrics.Membership{
		Leader: view.LeaderURL, Protocol: view.Protocol, Generation: view.Generation, Leads: view.IsLeader(),
		Began: rounds.Began, Last: rounds.Last, Completed: rounds.Completed, Longest: rounds.Longest, TotalTime: rounds.Total,
	}
	for _, item := range m.Running() {
		if item.IsConnector() {
			out.Connectors++
		} else {
			out.Tasks++
		}
	}
	return out
}

// peerTransport reaches other workers; those on https are met with this worker's own certificate, as it is now.
func (p *parts) peerTransport() *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	if p.identity != nil {
		transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&tls.Dialer{Config: p.identity.Client()}).DialContext(ctx, network, address)
		}
	}
	return transport
}

// setLevel carries out what some worker of the cluster was asked for.
func (p *parts) setLevel(l store.LoggerLevel) {
	name, level, ok := loggers.ParseLevel(l.Level)
	if !ok || p.levels.Set(l.Namespace, name, level, time.Now()) == nil {
		p.logger.Warn("the level of a logger could not be set as the cluster wants it", "logger", l.Namespace, "level", l.Level)
	}
}

// followPlugins tells the cluster when this worker can run something new.
func (p *parts) followPlugins(b base, changed func()) {
	events, unsubscribe := b.catalogue.Subscribe()
	var following sync.WaitGroup
	stop := make(chan struct{})
	known := classes(b)
	following.Go(func() {
		for {
			select {
			case _, ok := <-events:
				if !ok {
					return
				}
				if now := classes(b); !slices.Equal(now, known) {
					known = now
					changed()
				}
			case <-stop:
				return
			}
		}
	})
	p.onClose(func(context.Context) error {
		close(stop)
		following.Wait()
		unsubscribe()
		return nil
	})
}

// stores are the parts of a worker's state that its cluster shares.
type stores struct {
	p        *parts
	offsets  *store.OffsetTopic
	statuses *store.StatusTopic
	configs  store.TopicClients
	topic    *store.ConfigTopic // opened before the worker joins its group
	// Of a worker that joins: made before.
	sources *sourceOffsets
	leased  func() error
}

// cut gives up the writes of a worker that has lost its place, before others can have taken it (I-5). A status may come
// late: its store sees to that.
func (s *stores) cut() {
	s.offsets.Cut()
	s.sources.cut()
	s.topic.Cut()
}

// openStores creates or checks the internal topics and reads offsets and statuses.
func (p *parts) openStores(ctx context.Context) (*stores, error) {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeout)
	defer cancel()
	waiting := time.AfterFunc(5*time.Second, func() { p.logger.Warn("still reading the internal topics", "at_most", topicsTimeout) })
	defer waiting.Stop()
	c := p.settings.Cluster
	cfg, _, err := kafka.ParseClientConfig(kafka.AdminClient, p.settings.ClientProps(p.storeClientID("shared-admin")))
	if err != nil {
		return nil, err
	}
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return nil, err
	}
	p.onClose(func(context.Context) error { admin.Close(); return nil })
	s := &stores{p: p}
	clients, err := p.storeClients(admin, "offsets")
	if err != nil {
		return nil, err
	}
	if s.offsets, err = store.OpenOffsetTopic(ctx, clients, topicSpec("offset", c.OffsetTopic)); err != nil {
		return nil, err
	}
	p.onClose(func(context.Context) error { return s.offsets.Close() }) //nolint:contextcheck // it waits a second at most
	if clients, err = p.storeClients(admin, "statuses"); err != nil {
		return nil, err
	}
	if s.statuses, err = store.OpenStatusTopic(ctx, clients, topicSpec("status", c.StatusTopic)); err != nil {
		return nil, err
	}
	p.onClose(func(context.Context) error { return s.statuses.Close() }) //nolint:contextcheck // it waits a second at most
	s.configs, err = p.storeClients(admin, "configs")
	return s, err
}

// openConfigs opens the config topic, whose changes the listener hears.
func (s *stores) openConfigs(ctx context.Context, listener func(store.ConfigSnapshot, store.ConfigChanges)) (herder.ClusterConfigs, error) {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeout)
	defer cancel()
	configs, err := store.OpenConfigTopic(ctx, s.configs, topicSpec("config", s.p.settings.Cluster.ConfigTopic), listener)
	if err != nil {
		return nil, err
	}
	if s.p.settings.ExactlyOncePrepared() {
		configs.UseTransactions(s.claim)
	}
	s.topic = configs
	s.p.onClose(func(context.Context) error { return configs.Close() }) //nolint:contextcheck // it waits a second at most
	return configs, nil
}

// claim makes the producer of this worker as leader, which fences that of an older one (reference section 3.2).
func (s *stores) claim(ctx context.Context) (*kafka.Transactor, error) {
	if err := s.leased(); err != nil {
		return nil, err // I-5: it must not fence its successor
	}
	settings := s.p.settings
	props := settings.ClientProps(s.p.storeClientID("configs-leader"))
	props["acks"] = "all"
	cfg, _, err := kafka.ParseClientConfig(kafka.ProducerClient, props)
	if err != nil {
		return nil, err
	}
	return kafka.NewTransactor(ctx, cfg, config.LeaderTransactionalID(settings.GroupID()))
}

func topicSpec(what string, t config.InternalTopic) store.TopicSpec {
	return store.TopicSpec{
		Name: t.Name, Setting: what + ".storage.topic", Partitions: t.Partitions, ReplicationFactor: t.ReplicationFactor, Configs: t.Configs,
	}
}

// storeClientID is Kafka Connect's name for a client of the worker: quotas and ACLs may refer to it (reference section 3.1).
func (p *parts) storeClientID(what string) string {
	id := p.settings.Cluster.GroupID + "-"
	if p.settings.ClientID != "" {
		id += p.settings.ClientID + "-"
	}
	return id + what
}

func (p *parts) storeClients(admin *kafka.Admin, what string) (store.TopicClients, error) {
	props := p.settings.ClientProps(p.storeClientID(what))
	if p.settings.ExactlyOncePrepared() && what != "statuses" {
		props["isolation.level"] = "read_committed" // statuses are never in a transaction
	}
	consumer, _, err := kafka.ParseClientConfig(kafka.ConsumerClient, props)
	if err != nil {
		return store.TopicClients{}, err
	}
	// As Kafka Connect's: without idempotence no right of its own is needed, and one request at a time keeps the order.
	delete(props, "isolation.level")
	maps.Copy(props, map[string]string{
		"enable.idempotence": "false", "max.in.flight.requests.per.connection": "1", "acks": "all",
		"delivery.timeout.ms": strconv.Itoa(math.MaxInt32),
	})
	producer, _, err := kafka.ParseClientConfig(kafka.ProducerClient, props)
	return store.TopicClients{Admin: admin, Consumer: consumer, Producer: producer, Log: p.logger}, err
}

// join makes this worker a member of its group.
func (p *parts) join(b base, configs cluster.ConfigLog, runner cluster.Runner, lapsed func()) (*cluster.Member, error) {
	c := p.settings.Cluster
	clientID := p.settings.ClientID
	if clientID == "" {
		clientID = "connect-" + p.advertised.Host
	}
	client, _, err := kafka.ParseClientConfig(kafka.AdminClient, p.settings.ClientProps(clientID))
	if err != nil {
		return nil, err
	}
	return cluster.Join(cluster.MemberConfig{
		Group: kafka.GroupMemberConfig{
			Client: client, GroupID: c.GroupID, InstanceID: c.InstanceID,
			SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.RebalanceTimeout, HeartbeatInterval: c.HeartbeatInterval, Lapsed: lapsed, Log: p.logger,
		},
		URL: p.advertised.String(), Protocol: c.Protocol, SyncTimeout: c.WorkerSyncTimeout, MaxDelay: c.ScheduledRebalanceMaxWait,
		Plugins: func() []string { return classes(b) }, BuiltIn: builtInTransform, Log: p.logger,
	}, configs, runner)
}

func builtInTransform(class string) bool {
	_, known := transform.Lookup(config.TransformPlugin, class)
	return known
}

// classes lists every name under which connectors, and transforms of plugins, can run here.
func classes(b base) []string {
	var names []string
	for _, one := range b.catalogue.List().Plugins {
		for _, c := range one.Description.Connectors {
			names = append(append(names, c.Name), c.Aliases...)
		}
		for _, t := range one.Description.Transforms {
			names = append(append(names, t.Name), t.Aliases...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fence makes an admin client of a connector and fences the producers of its tasks.
func (p *parts) fence(ctx context.Context, props map[string]string, transactionalIDs []string) error {
	c, err := config.ParseConnector(config.Source, props, p.settings)
	if err != nil {
		return err
	}
	cfg, _, err := kafka.ParseClientConfig(kafka.AdminClient, c.AdminProps(p.settings, config.WorkerAdminClientID(c.Name)))
	if err != nil {
		return err
	}
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.FenceProducers(ctx, transactionalIDs...)
}
