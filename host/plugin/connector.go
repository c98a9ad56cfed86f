package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// ConnectorStart is how a connector is started.
type ConnectorStart struct {
	Epoch     uint64
	Connector string // ConnectorType.Name
	Name      string // the user's name of the connector
	Config    map[string]string
	LogLevel  slog.Level
	// Offsets answers the connector's questions for stored source offsets: as many as partitions, in their order, empty
	// where nothing is stored. It is called from a goroutine of the stream, one call at a time. Nil answers with an error.
	Offsets func(ctx context.Context, partitions [][]byte) ([][]byte, error)
	// Metrics takes the connector's own measures, from the receiving goroutine; it must not block. May be nil.
	Metrics func([]Metric)
}

// Support is an answer to a support question.
type Support int

// The answers. NoOpinion is Kafka Connect's null.
const (
	NoOpinion Support = iota
	Supported
	Unsupported
)

// OffsetChange is a source partition and its new offset, both values without a schema; an empty offset means reset.
type OffsetChange struct {
	Partition, Offset []byte
}

// KafkaOffsetChange is a Kafka partition and its new position; nil means reset.
type KafkaOffsetChange struct {
	Topic     string
	Partition int32
	Offset    *int64
}

// ConnectorStream carries one connector. Its methods may be called from any goroutine; questions are asked one at a time
// of the plugin's good order, each with the deadline Timeouts.Answer or that of ctx.
type ConnectorStream struct {
	*conversation[pluginv1.RunConnectorRequest, pluginv1.RunConnectorResponse]
	start       ConnectorStart
	reconfigure chan struct{}
	readers     chan ReadOffsets // questions of the connector, bounded
	isStarted   chan struct{}
	stopped     chan struct{}
	done        chan struct{}
	background  sync.WaitGroup

	mu       sync.Mutex
	nextID   uint64
	waiting  map[uint64]chan *pluginv1.RunConnectorResponse
	err      error // set before done is closed
	stopping bool
	stopErr  *RemoteError
}

// maxWaitingOffsetReads bounds the connector's unanswered questions for offsets.
const maxWaitingOffsetReads = 64

// OpenConnector opens a connector's stream, starts the connector and waits until it runs, at most Timeouts.Start or until
// ctx ends. The caller must Close the stream.
func (i *Instance) OpenConnector(ctx context.Context, start ConnectorStart) (*ConnectorStream, error) {
	c, err := i.openConnector(ctx, start, &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Start{Start: &pluginv1.StartConnector{
		Connector: start.Connector, Name: start.Name, Config: start.Config,
		HostCapabilities: hostCapabilities, LogLevel: logLevel(start.LogLevel),
	}}})
	if err != nil {
		return nil, err
	}
	select {
	case <-c.isStarted:
		return c, nil
	case <-c.done:
		err = c.Err()
	case <-ctx.Done():
		err = fmt.Errorf("the connector's start was cancelled: %w", context.Cause(ctx))
	}
	c.Close()
	return nil, err
}

// InitializeConnector opens a stream for questions (AlterOffsets, the support questions, Deleted) to a connector that is
// not started. The caller must Close the stream.
func (i *Instance) InitializeConnector(ctx context.Context, start ConnectorStart) (*ConnectorStream, error) {
	c, err := i.openConnector(ctx, start, &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Initialize{Initialize: &pluginv1.InitializeConnector{
		Connector: start.Connector, Name: start.Name, Config: start.Config, HostCapabilities: hostCapabilities,
	}}})
	if err == nil {
		c.started() // no answer comes
	}
	return c, err
}

func (i *Instance) openConnector(ctx context.Context, start ConnectorStart, first *pluginv1.RunConnectorRequest) (*ConnectorStream, error) {
	conversation, err := open(ctx, i, i.logger.With("connector", start.Name), start.Epoch, i.client.RunConnector)
	if err != nil {
		return nil, err
	}
	c := &ConnectorStream{
		conversation: conversation, start: start,
		reconfigure: make(chan struct{}, 1), readers: make(chan ReadOffsets, maxWaitingOffsetReads),
		isStarted: make(chan struct{}), stopped: make(chan struct{}), done: make(chan struct{}),
		waiting: make(map[uint64]chan *pluginv1.RunConnectorResponse),
	}
	c.background.Go(c.receive)
	c.background.Go(c.answerOffsets)
	if err := c.request(first); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *ConnectorStream) request(m *pluginv1.RunConnectorRequest) error {
	m.Epoch = c.epoch
	return c.send(m)
}

// Reconfigure receives when the connector wants to be asked for its task configs again. Many wishes become one.
func (c *ConnectorStream) Reconfigure() <-chan struct{} { return c.reconfigure }

// Done is closed when the stream is over. Err then says why.
func (c *ConnectorStream) Done() <-chan struct{} { return c.done }

// Err is why the stream ended: nil after Stop or Close, *RemoteError when the connector failed, else as in
// SourceStream.Recv. It is valid after Done.
func (c *ConnectorStream) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// receive owns the receiving side until the stream's end.
func (c *ConnectorStream) receive() {
	defer close(c.done)
	for {
		m, err := c.recv()
		if err == nil {
			err = c.control()
		}
		if err == nil {
			err = c.frame(m)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

func (c *ConnectorStream) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, errNotOpen), errors.Is(err, io.EOF) && c.stopping:
		err = nil
	case errors.Is(err, io.EOF):
		err = violation("the connector ended its stream without being asked to stop and without a failure")
	}
	c.err = err
	if err == nil {
		err = context.Canceled
	}
	c.cancel(err)
}

func (c *ConnectorStream) frame(m *pluginv1.RunConnectorResponse) error {
	switch f := m.Frame.(type) {
	case *pluginv1.RunConnectorResponse_Started:
		c.started()
		select {
		case <-c.isStarted:
			return violation("it said twice that the connector is started")
		default:
			close(c.isStarted)
		}
	case *pluginv1.RunConnectorResponse_TaskConfigsResult:
		c.answer(f.TaskConfigsResult.GetRequestId(), m)
	case *pluginv1.RunConnectorResponse_AlterOffsetsResult:
		c.answer(f.AlterOffsetsResult.GetRequestId(), m)
	case *pluginv1.RunConnectorResponse_SupportResult:
		c.answer(f.SupportResult.GetRequestId(), m)
	case *pluginv1.RunConnectorResponse_DeletedResult:
		c.answer(f.DeletedResult.GetRequestId(), m)
	case *pluginv1.RunConnectorResponse_RequestReconfiguration:
		select {
		case c.reconfigure <- struct{}{}:
		default: // one wish waits already
		}
	case *pluginv1.RunConnectorResponse_ReadOffsets:
		return c.readOffsets(f.ReadOffsets)
	case *pluginv1.RunConnectorResponse_Failure:
		return readError(f.Failure.GetError())
	case *pluginv1.RunConnectorResponse_Stopped:
		c.mu.Lock()
		c.stopErr = optionalError(f.Stopped.GetError())
		again := !c.stopping
		c.mu.Unlock()
		if again {
			return violation("it said that the connector is stopped, and nobody asked")
		}
		select {
		case <-c.stopped:
		default:
			close(c.stopped)
		}
	case *pluginv1.RunConnectorResponse_Heartbeat:
		c.heartbeat(f.Heartbeat)
	case *pluginv1.RunConnectorResponse_Logs:
		c.logs.relay(f.Logs, c.instance.mask)
	case *pluginv1.RunConnectorResponse_Metrics:
		if c.start.Metrics != nil {
			c.start.Metrics(readMetrics(f.Metrics))
		}
	}
	return nil // a frame that this host does not know is ignored by rule
}

func (c *ConnectorStream) readOffsets(m *pluginv1.ReadOffsets) error {
	event, err := readOffsets(m)
	if err != nil {
		return err
	}
	select {
	case c.readers <- event.(ReadOffsets):
		return nil
	default:
		return violation("more than %d questions for offsets wait for an answer", maxWaitingOffsetReads)
	}
}

func (c *ConnectorStream) answerOffsets() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case question := <-c.readers:
			var offsets [][]byte
			err := errors.New("this connector has no stored offsets")
			if c.start.Offsets != nil {
				ctx, cancel := context.WithTimeout(c.ctx, c.timeouts.Answer)
				offsets, err = c.start.Offsets(ctx, question.Partitions)
				cancel()
			}
			_ = c.request(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Offsets{
				Offsets: offsetsFrame(question.RequestID, offsets, err),
			}}) // a broken stream ends in receive
		}
	}
}

func (c *ConnectorStream) answer(id uint64, m *pluginv1.RunConnectorResponse) {
	c.mu.Lock()
	waiting, ok := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if ok { // an answer to nothing, or a second one, is dropped
		waiting <- m
	}
}

// ask sends a question and waits for its answer. A question without an answer in time ends the stream: a connector that
// hangs in one call answers no other.
func (c *ConnectorStream) ask(ctx context.Context, what string, question func(id uint64) *pluginv1.RunConnectorRequest) (*pluginv1.RunConnectorResponse, error) {
	answer := make(chan *pluginv1.RunConnectorResponse, 1)
	c.mu.Lock()
	c.nextID++
	id := c.nextID
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err := c.request(question(id)); err != nil {
		return nil, err
	}
	timer := time.NewTimer(c.timeouts.Answer)
	defer timer.Stop()
	select {
	case m := <-answer:
		return m, nil
	case <-c.done:
		if err := c.Err(); err != nil {
			return nil, err
		}
		return nil, errNotOpen
	case <-timer.C:
		return nil, c.fail(&TimeoutError{What: what + " did not answer within " + c.timeouts.Answer.String()})
	case <-ctx.Done():
		return nil, fmt.Errorf("%s was cancelled: %w", what, context.Cause(ctx))
	}
}

// TaskConfigs asks the connector to divide its work into at most maxTasks tasks. No configs means no tasks for now.
func (c *ConnectorStream) TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error) {
	m, err := c.ask(ctx, "taskConfigs", func(id uint64) *pluginv1.RunConnectorRequest {
		return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TaskConfigs{TaskConfigs: &pluginv1.TaskConfigs{RequestId: id, MaxTasks: uint32(maxTasks)}}}
	})
	if err != nil {
		return nil, err
	}
	result := m.GetTaskConfigsResult()
	if result == nil {
		return nil, c.fail(violation("it answered taskConfigs with another frame"))
	}
	if failure := optionalError(result.GetError()); failure != nil {
		return nil, failure
	}
	if n := len(result.GetConfigs()); n > maxTasks {
		return nil, violation("the connector gave %d task configs, and at most %d were asked for (tasks.max)", n, maxTasks)
	}
	configs := make([]map[string]string, 0, len(result.GetConfigs()))
	for _, task := range result.GetConfigs() {
		config := task.GetConfig()
		if config == nil {
			config = map[string]string{}
		}
		configs = append(configs, config)
	}
	return configs, nil
}

// AlterOffsets tells the connector that a user changes its offsets. handled says that the connector knows them to be right.
func (c *ConnectorStream) AlterOffsets(ctx context.Context, config map[string]string, source []OffsetChange, kafka []KafkaOffsetChange) (handled bool, err error) {
	question := &pluginv1.AlterOffsets{Config: config}
	for _, change := range source {
		question.Offsets = append(question.Offsets, &pluginv1.PartitionOffset{Partition: change.Partition, Offset: change.Offset})
	}
	for _, change := range kafka {
		question.KafkaOffsets = append(question.KafkaOffsets, &pluginv1.KafkaPartitionOffset{Topic: change.Topic, Partition: change.Partition, Offset: change.Offset})
	}
	m, err := c.ask(ctx, "alterOffsets", func(id uint64) *pluginv1.RunConnectorRequest {
		question.RequestId = id
		return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_AlterOffsets{AlterOffsets: question}}
	})
	if err != nil {
		return false, err
	}
	if failure := optionalError(m.GetAlterOffsetsResult().GetError()); failure != nil {
		return false, failure
	}
	return m.GetAlterOffsetsResult().GetHandled(), nil
}

// ExactlyOnceSupport asks whether exactly-once works with a configuration.
func (c *ConnectorStream) ExactlyOnceSupport(ctx context.Context, config map[string]string) (Support, error) {
	return c.support(ctx, "exactlyOnceSupport", func(id uint64) *pluginv1.RunConnectorRequest {
		return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_ExactlyOnceSupport{ExactlyOnceSupport: &pluginv1.ExactlyOnceSupport{RequestId: id, Config: config}}}
	})
}

// TransactionBoundarySupport asks whether the connector can define transaction boundaries with a configuration.
func (c *ConnectorStream) TransactionBoundarySupport(ctx context.Context, config map[string]string) (Support, error) {
	return c.support(ctx, "canDefineTransactionBoundaries", func(id uint64) *pluginv1.RunConnectorRequest {
		return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TransactionBoundarySupport{
			TransactionBoundarySupport: &pluginv1.TransactionBoundarySupport{RequestId: id, Config: config},
		}}
	})
}

func (c *ConnectorStream) support(ctx context.Context, what string, question func(uint64) *pluginv1.RunConnectorRequest) (Support, error) {
	m, err := c.ask(ctx, what, question)
	if err != nil {
		return NoOpinion, err
	}
	if failure := optionalError(m.GetSupportResult().GetError()); failure != nil {
		return NoOpinion, failure
	}
	switch m.GetSupportResult().GetSupport() {
	case pluginv1.Support_SUPPORT_SUPPORTED:
		return Supported, nil
	case pluginv1.Support_SUPPORT_UNSUPPORTED:
		return Unsupported, nil
	default:
		return NoOpinion, nil
	}
}

// Deleted tells the connector that the user deleted it for good. Only for connectors with the capability DeleteHook.
func (c *ConnectorStream) Deleted(ctx context.Context, config map[string]string) error {
	m, err := c.ask(ctx, "deleted", func(id uint64) *pluginv1.RunConnectorRequest {
		return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Deleted{Deleted: &pluginv1.Deleted{RequestId: id, Config: config}}}
	})
	if err != nil {
		return err
	}
	if failure := optionalError(m.GetDeletedResult().GetError()); failure != nil {
		return failure
	}
	return nil
}

// SetLogLevel asks for log lines of at least this level.
func (c *ConnectorStream) SetLogLevel(level slog.Level) error {
	return c.request(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_SetLogLevel{SetLogLevel: &pluginv1.SetLogLevel{Level: logLevel(level)}}})
}

// Stop asks the connector to stop within the deadline, waits for it, and closes the stream. A *RemoteError says that
// stopping itself failed; the connector counts as stopped all the same.
func (c *ConnectorStream) Stop(ctx context.Context, deadline time.Duration) error {
	defer c.Close()
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	err := c.request(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Stop{Stop: &pluginv1.StopConnector{DeadlineMs: uint64(deadline.Milliseconds())}}})
	if err != nil {
		return err
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case <-c.stopped:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stopErr != nil {
			return c.stopErr
		}
		return nil
	case <-c.done:
		return c.Err()
	case <-timer.C:
		return c.fail(&TimeoutError{What: "the connector did not stop within " + deadline.String()})
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close ends the stream at once and waits for its goroutines. Safe to call twice.
func (c *ConnectorStream) Close() {
	c.close()
	c.background.Wait()
}
