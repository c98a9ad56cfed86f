package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
)

// conversation is a task that runs: *task.Source or *task.Sink.
type conversation interface {
	Run(ctx context.Context) error
	Stop()
	SetPaused(paused bool)
	SetLogLevel(level slog.Level)
	ForgetTopics()
	Snapshot() task.Snapshot
}

// taskRunner owns one task.
type taskRunner struct {
	*runner
	id    task.ID
	props map[string]string // the task's configuration, references unresolved

	// current is the running task, last the account of the one before. Guarded by runner.mu.
	current conversation
	last    task.Snapshot

	// telling orders what is told; it guards the fields below.
	telling  sync.Mutex
	reported store.State // told last
	// hindrance is why the task tries again, as told; empty when it gets on.
	// hindered is Snapshot.Records at that time.
	hindrance string
	hindered  uint64
}

func (r *taskRunner) run() {
	defer close(r.done)
	defer r.cut()
	go r.obey()
	r.loop(r.once, r.tell)
	if r.reportedState() != store.StateFailed {
		r.tell(store.StateUnassigned, nil)
	}
}

// obey carries wishes over to the running task, and tells when one that had to
// try again gets on.
func (r *taskRunner) obey() {
	var look <-chan time.Time // only while it is hindered: there may be thousands of tasks
	for {
		select {
		case <-r.poke:
			r.mu.Lock()
			if r.current != nil && (r.stopped || r.renewed) {
				r.current.Stop()
			}
			r.mu.Unlock()
			if look == nil && r.isHindered() {
				look = time.After(recoveryInterval)
			}
		case <-look:
			look = nil
			if r.recovered(); r.isHindered() {
				look = time.After(recoveryInterval)
			}
		case <-r.done:
			return
		}
	}
}

// recoveryInterval is how soon a task that gets on again is shown so.
const recoveryInterval = time.Second

// hinder shows in the status why a running task tries again; false when that is shown already.
func (r *taskRunner) hinder(err error) bool {
	records := r.records()
	r.telling.Lock()
	defer r.telling.Unlock()
	if r.hindrance == err.Error() {
		return false
	}
	r.hindrance, r.hindered = err.Error(), records
	if r.reported == store.StateRunning {
		r.inform(store.StateRunning, err)
	}
	r.wake()
	return true
}

func (r *taskRunner) isHindered() bool {
	r.telling.Lock()
	defer r.telling.Unlock()
	return r.hindrance != ""
}

// inform tells the listener, unless the task was cut off: it may run elsewhere then, and what it says now would hide that (I-5).
func (r *taskRunner) inform(state store.State, err error) {
	if r.life.Err() == nil {
		r.w.cfg.Listener.TaskState(r.id, state, err)
	}
}

// recovered takes the reason away once records move.
func (r *taskRunner) recovered() {
	records := r.records()
	r.telling.Lock()
	defer r.telling.Unlock()
	if r.hindrance == "" || records == r.hindered {
		return
	}
	r.hindrance = ""
	if r.reported == store.StateRunning {
		r.inform(store.StateRunning, nil)
	}
}

func (r *taskRunner) records() uint64 {
	s, _ := r.snapshot()
	return s.Records
}

func (r *taskRunner) applyTarget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		r.current.SetPaused(r.target != store.TargetStarted)
	}
}

func (r *taskRunner) snapshot() (task.Snapshot, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		return r.current.Snapshot(), true
	}
	return r.last, true
}

func (r *taskRunner) reportedState() store.State {
	r.telling.Lock()
	defer r.telling.Unlock()
	return r.reported
}

func (r *taskRunner) tell(state store.State, err error) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.reported, r.hindrance = state, ""
	r.entered(state, &r.w.taskStarts)
	r.inform(state, err)
}

// once is one life of the task on one plugin process (a sink may outlive its process).
func (r *taskRunner) once(ctx context.Context) (progress bool, err error) {
	s, err := r.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer s.Release()
	t, err := r.build(s)
	if err != nil {
		return false, s.failure("task "+r.id.String(), err)
	}
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		t.close()
		return false, nil
	}
	r.current = t
	r.mu.Unlock()
	err = t.Run(ctx)
	r.mu.Lock()
	r.current, r.last = nil, t.Snapshot()
	r.mu.Unlock()
	return r.last.Progress > 0, s.failure("task "+r.id.String(), err)
}

// build puts the task together from the configuration.
func (r *taskRunner) build(s *share) (*closing, error) {
	common := settings{
		props: r.w.cfg.Settings.Providers.Resolve(r.props).Props, listener: &taskListener{r: r, share: s},
		timing: task.Timing{
			OffsetFlushInterval: r.w.cfg.Settings.OffsetFlushInterval, OffsetFlushTimeout: r.w.cfg.Settings.OffsetFlushTimeout,
			GracefulTimeout: r.w.cfg.Settings.TaskShutdownTimeout,
		},
		errors: errorPolicy(s.connector.Errors),
		paused: r.targetState() != store.TargetStarted,
	}
	steps := &pluginSteps{runner: r.runner, share: s, policy: common.errors, retrying: func(err error, after time.Duration) {
		common.listener.Retrying(r.id, err, after)
	}}
	converters, err := newConverters(s.connector, r.logger, steps.build)
	if err != nil {
		steps.close()
		return nil, err
	}
	build := r.buildSource
	if s.connector.Kind == config.Sink {
		build = r.buildSink
	}
	c, err := build(s, converters, common)
	if err != nil {
		steps.close()
		return nil, err
	}
	return &closing{c.conversation, func() { c.close(); steps.close() }}, nil
}

func errorPolicy(e config.ErrorHandling) task.ErrorPolicy {
	return task.ErrorPolicy{
		TolerateAll: e.TolerateAll, Log: e.LogEnable, LogRecords: e.LogIncludeMessages,
		RetryTimeout: e.RetryTimeout, RetryDelayMax: e.RetryDelayMax,
		MaxRate: e.MaxRate, RateRecords: e.RateRecords,
	}
}

// settings are what both kinds of tasks take over.
type settings struct {
	props    map[string]string
	listener task.Listener
	timing   task.Timing
	errors   task.ErrorPolicy
	paused   bool
}

func (r *taskRunner) buildSource(s *share, converters task.Converters, c settings) (*closing, error) {
	producerProps := s.connector.ProducerProps(r.w.cfg.Settings, r.id.Task)
	transactionalID := producerProps["transactional.id"]
	delete(producerProps, "transactional.id")
	producerConfig, err := r.clientConfig(kafka.ProducerClient, producerProps)
	if err != nil {
		return nil, err
	}
	letters, err := r.deadLetters(s)
	if err != nil {
		return nil, err
	}
	offsets, own, release, err := r.offsetsOf(r.life, s.connector)
	if err != nil {
		return nil, err
	}
	var producer *kafka.Producer
	if r.w.cfg.ExactlyOnce != nil {
		producer, err = r.fencedProducer(producerConfig, transactionalID)
	} else {
		producer, err = kafka.NewProducer(producerConfig)
	}
	if err != nil {
		release()
		return nil, err
	}
	producer.ShareTopicLimits(&r.w.topicLimits)
	cfg := task.SourceConfig{
		OpenDeadLetters: letters,
		ID:              r.id, ConnectorType: s.resolved.Connector.Name, Config: c.props, Epoch: r.w.epochs.Add(1), Paused: c.paused,
		LogLevel: r.w.cfg.LogLevel(r.id.Connector), CreditBytes: s.connector.TaskCreditBytes,
		Open: func(ctx context.Context, start plugin.SourceStart) (task.SourceStream, error) {
			stream, err := s.OpenSource(ctx, start)
			if err != nil {
				return nil, err
			}
			return stream, nil
		},
		Converters: converters, Producer: producer, Offsets: offsets,
		Errors: c.errors, Timing: c.timing, Listener: c.listener, Logger: r.w.cfg.Logger,
		Tracer: r.w.cfg.Tracing.Task(r.id.Connector, r.id.Task, s.resolved.Connector.Name),
	}
	if r.w.cfg.ExactlyOnce != nil {
		cfg.Transactions = transactions{producer, own}
		cfg.Boundary, cfg.BoundaryInterval = boundaries[s.connector.Source.TransactionBoundary], s.connector.Source.BoundaryInterval
	}
	closeAdmin := func() {}
	if topics := s.connector.Source.TopicCreation; topics != nil && r.w.cfg.Settings.TopicCreationEnable {
		adminConfig, err := r.clientConfig(kafka.AdminClient, s.connector.AdminProps(r.w.cfg.Settings, config.AdminClientID(r.id.Connector, r.id.Task)))
		if err != nil {
			release()
			return nil, errors.Join(err, producer.Close(r.life))
		}
		admin, err := kafka.NewAdmin(adminConfig)
		if err != nil {
			release()
			return nil, errors.Join(err, producer.Close(r.life))
		}
		closeAdmin = admin.Close
		cfg.Admin = admin
		cfg.TopicFor = func(topic string) kafka.NewTopic {
			g := topics.For(topic)
			return kafka.NewTopic{Name: topic, Partitions: g.Partitions, ReplicationFactor: g.ReplicationFactor, Configs: g.Configs}
		}
	}
	return &closing{task.NewSource(cfg), func() {
		closeAdmin()
		release()
		_ = producer.Close(r.life) // for a task that was stopped before Run, which closes it
	}}, nil
}

func (r *taskRunner) buildSink(s *share, converters task.Converters, c settings) (*closing, error) {
	letters, err := r.deadLetters(s)
	if err != nil {
		return nil, err
	}
	reopen := &reopener{runner: r.runner, first: s}
	var sink *task.Sink
	reopen.progress = func() uint64 { return sink.Snapshot().Progress }
	cfg := task.SinkConfig{
		OpenDeadLetters: letters,
		ID:              r.id, ConnectorType: s.resolved.Connector.Name, Config: c.props, Paused: c.paused,
		// A sink counts its epoch up with each new process: leave room below the next start.
		Epoch:    r.w.epochs.Add(sinkEpochs) - sinkEpochs + 1,
		LogLevel: r.w.cfg.LogLevel(r.id.Connector), CreditBytes: s.connector.TaskCreditBytes,
		Open:       reopen.open,
		Converters: converters,
		Subscribe: func(l kafka.RebalanceListener) (task.Consumer, error) {
			consumerConfig, err := r.clientConfig(kafka.ConsumerClient, s.connector.ConsumerProps(r.w.cfg.Settings, r.id.Task))
			if err != nil {
				return nil, err
			}
			// I-5: the group of workers runs this task nowhere else.
			consumerConfig.Consumer.SoleClientID = consumerConfig.ClientID == config.ConsumerClientID(r.id.Connector, r.id.Task)
			sub := kafka.Subscription{Topics: s.connector.Sink.Topics}
			if s.connector.Sink.TopicsRegex != nil {
				sub.Regex = s.connector.Sink.TopicsRegex.String()
			}
			consumer, err := kafka.NewConsumer(consumerConfig, sub, l)
			if err != nil {
				return nil, err
			}
			return consumer, nil
		},
		Errors: c.errors, Timing: c.timing, Listener: c.listener, Logger: r.w.cfg.Logger,
		Tracer: r.w.cfg.Tracing.Task(r.id.Connector, r.id.Task, s.resolved.Connector.Name),
	}
	sink = task.NewSink(cfg)
	return &closing{sink, reopen.release}, nil
}

// sinkEpochs is how many epochs a sink may use up by itself.
const sinkEpochs = 1 << 20

// clientConfig reads Java client properties, logs what they cannot mean here, and fails when
// brokers refuse the client that they describe.
func (r *taskRunner) clientConfig(kind kafka.ClientKind, props map[string]string) (kafka.ClientConfig, error) {
	cfg, warnings, err := kafka.ParseClientConfig(kind, props)
	for _, w := range warnings {
		r.logger.Warn(w, "client", kind)
	}
	if err == nil {
		err = kafka.Authenticate(r.life, cfg)
	}
	return cfg, err
}

func newConverters(c *config.Connector, logger *slog.Logger, others transform.Others) (task.Converters, error) {
	key, err := convert.New(c.KeyConverter.Class, c.KeyConverter.Config, true)
	if err != nil {
		return task.Converters{}, fmt.Errorf("key.converter: %w", err)
	}
	value, err := convert.New(c.ValueConverter.Class, c.ValueConverter.Config, false)
	if err != nil {
		return task.Converters{}, fmt.Errorf("value.converter: %w", err)
	}
	header, err := convert.NewHeader(c.HeaderConverter.Class, c.HeaderConverter.Config)
	if err != nil {
		return task.Converters{}, fmt.Errorf("header.converter: %w", err)
	}
	chain, err := newTransforms(c, others)
	if err != nil {
		return task.Converters{}, err
	}
	return task.Converters{
		Key: withEvolution(key, "key", c, logger), Value: withEvolution(value, "value", c, logger), Header: header, Transforms: chain,
		KeyClass: fullClass(c.KeyConverter.Class), ValueClass: fullClass(c.ValueConverter.Class), HeaderClass: fullClass(c.HeaderConverter.Class),
	}, nil
}

// openSink makes a failed opening a nil interface.
func openSink(ctx context.Context, s *share, start plugin.SinkStart) (task.SinkStream, error) {
	stream, err := s.OpenSink(ctx, start)
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// closing frees what belongs to a task when it is over.
type closing struct {
	conversation
	close func()
}

func (c *closing) Run(ctx context.Context) error {
	defer c.close()
	return c.conversation.Run(ctx)
}

// reopener starts a sink task in its plugin, and again in a new process when the
// old one died: the consumer stays in its group meanwhile. Run by the task's goroutine.
type reopener struct {
	*runner
	first   *share // released by once
	share   *share // of a later process
	history plugin.Restarts
	since   time.Time
	// progress is the task's Snapshot.Progress, reached what it was at the last death.
	progress func() uint64
	reached  uint64
}

func (o *reopener) open(ctx context.Context, start plugin.SinkStart) (task.SinkStream, error) {
	if o.since.IsZero() {
		o.since = time.Now()
		return openSink(ctx, o.first, start)
	}
	if now := o.progress(); now > o.reached {
		o.history, o.reached = plugin.Restarts{}, now
	}
	for {
		delay, history := plugin.DefaultBackoff.Next(o.history, time.Since(o.since), jitter())
		o.history = history
		if err := o.pause(ctx, delay); err != nil {
			return nil, err
		}
		o.since = time.Now()
		stream, err := o.again(ctx, start)
		var death *plugin.DeathError
		if err == nil || !errors.As(err, &death) || ctx.Err() != nil {
			return stream, err
		}
		o.logger.Warn("the plugin's process died while it started", "error", o.first.masker.Error(err), "deaths_in_a_row", history.InRow)
	}
}

func (o *reopener) again(ctx context.Context, start plugin.SinkStart) (task.SinkStream, error) {
	o.release()
	s, err := o.acquire(ctx)
	if err != nil {
		return nil, err
	}
	o.share = s
	defer s.started()
	return openSink(ctx, s, start)
}

func (o *reopener) pause(ctx context.Context, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-o.stopping:
		return errStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errStopping = errors.New("the task is being stopped")

func (o *reopener) release() {
	if o.share != nil {
		o.share.Release()
		o.share = nil
	}
}

// taskListener turns a task's news into the worker's.
type taskListener struct {
	r     *taskRunner
	share *share
}

var _ task.Listener = (*taskListener)(nil)

// states are what users see of a task's states; Failed is told by the runner.
var states = map[task.State]store.State{
	task.Running: store.StateRunning, task.Paused: store.StatePaused, task.Restarting: store.StateRestarting,
}

func (l *taskListener) StateChanged(_ task.ID, state task.State, err error) {
	if state != task.Starting {
		l.share.started()
	}
	if s, ok := states[state]; ok {
		l.r.tell(s, l.share.masker.Error(err))
	}
}

func (l *taskListener) TopicUsed(id task.ID, topic string) {
	l.r.w.cfg.Listener.TopicUsed(id.Connector, topic)
}

func (l *taskListener) Retrying(_ task.ID, err error, after time.Duration) {
	masked := l.share.masker.Error(err)
	if l.r.hinder(masked) {
		l.r.logger.Warn("the task tries again after a failure that may pass, until it succeeds", "error", masked, "after", after)
	}
}

func (l *taskListener) Measured(_ task.ID, samples []plugin.Metric) {
	l.r.measured(samples, l.share.masker.Text)
}
