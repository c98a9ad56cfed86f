package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// maxQuestions is how many frames of a host may wait for a connector's code.
const maxQuestions = 64

// connectorFrames puts common frames into the envelope of RunConnector.
type connectorFrames struct{ epoch uint64 }

func (f connectorFrames) heartbeat(m *pluginv1.Heartbeat) *pluginv1.RunConnectorResponse {
	return &pluginv1.RunConnectorResponse{Epoch: f.epoch, Frame: &pluginv1.RunConnectorResponse_Heartbeat{Heartbeat: m}}
}

func (f connectorFrames) logs(m *pluginv1.Logs) *pluginv1.RunConnectorResponse {
	return &pluginv1.RunConnectorResponse{Epoch: f.epoch, Frame: &pluginv1.RunConnectorResponse_Logs{Logs: m}}
}

func (f connectorFrames) metrics(m *pluginv1.Metrics) *pluginv1.RunConnectorResponse {
	return &pluginv1.RunConnectorResponse{Epoch: f.epoch, Frame: &pluginv1.RunConnectorResponse_Metrics{Metrics: m}}
}

func (f connectorFrames) failure(m *pluginv1.Failure) *pluginv1.RunConnectorResponse {
	return &pluginv1.RunConnectorResponse{Epoch: f.epoch, Frame: &pluginv1.RunConnectorResponse_Failure{Failure: m}}
}

// connectorRun is one connector object. Goroutines: the handler writes, receive reads,
// author calls the connector's methods one after the other.
type connectorRun struct {
	epoch     uint64
	name      string
	connector Connector
	stream    pluginv1.ConnectorPluginService_RunConnectorServer

	out       *outbox[*pluginv1.RunConnectorResponse]
	log       *logBuffer
	offsets   *offsetQuestions
	reader    OffsetReader // offsets, or none for a sink
	questions chan *pluginv1.RunConnectorRequest
	closed    chan struct{} // the host closed its half
	raised    chan error
	done      chan struct{}

	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc // of the call under way
}

// RunConnector carries one connector, started or only initialized.
func (s *service) RunConnector(stream pluginv1.ConnectorPluginService_RunConnectorServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start, initialize := first.GetStart(), first.GetInitialize()
	if start == nil && initialize == nil {
		return status.Error(codes.InvalidArgument, "the first frame of RunConnector must be Start or Initialize")
	}
	if start == nil {
		start = &pluginv1.StartConnector{
			Connector: initialize.GetConnector(), Name: initialize.GetName(),
			Config: initialize.GetConfig(), HostCapabilities: initialize.GetHostCapabilities(),
		}
	}
	_, connector, err := s.connector(start.GetConnector())
	if err != nil && status.Code(err) == codes.NotFound {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	r := newConnectorRun(stream, first.GetEpoch(), start, connector)
	if _, err := s.plugin.sink(start.GetConnector()); err == nil {
		r.reader = noOffsets{}
	}
	go r.receive(cancel)
	go r.author(ctx, start, initialize == nil, err)
	err = r.out.run(ctx, nil)
	cancel()
	select {
	case <-r.done:
	case <-time.After(stopTimeout):
	}
	if errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return err
}

func newConnectorRun(stream pluginv1.ConnectorPluginService_RunConnectorServer, epoch uint64, start *pluginv1.StartConnector, c Connector) *connectorRun {
	log := newLogBuffer(slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_LOGS),
		start.GetLogLevel(), slog.String("connector", start.GetName()))
	r := &connectorRun{
		epoch: epoch, name: start.GetName(), connector: c, stream: stream, log: log,
		out:       newOutbox(connectorFrames{epoch}, stream.Send, log),
		questions: make(chan *pluginv1.RunConnectorRequest, maxQuestions),
		closed:    make(chan struct{}), raised: make(chan error, 1), done: make(chan struct{}),
		cancel: func() {},
	}
	r.out.sendMetrics = slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_METRICS)
	r.offsets = &offsetQuestions{ask: func(ctx context.Context, q *pluginv1.ReadOffsets) error {
		return r.out.post(ctx, &pluginv1.RunConnectorResponse{Epoch: epoch, Frame: &pluginv1.RunConnectorResponse_ReadOffsets{ReadOffsets: q}})
	}}
	r.reader = r.offsets
	return r
}

func (r *connectorRun) receive(cancel context.CancelFunc) {
	for {
		m, err := r.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				cancel()
			}
			r.stopping()
			close(r.closed)
			return
		}
		if m.GetEpoch() != r.epoch {
			continue
		}
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunConnectorRequest_Offsets:
			r.offsets.answer(f.Offsets)
		case *pluginv1.RunConnectorRequest_SetLogLevel:
			r.log.setLevel(f.SetLogLevel.GetLevel())
		case *pluginv1.RunConnectorRequest_Start, *pluginv1.RunConnectorRequest_Initialize, nil:
			// A second start or a frame of a later version: ignored.
		default:
			if m.GetStop() != nil {
				r.stopping()
			}
			select {
			case r.questions <- m:
			default:
				r.out.fail(fmt.Errorf("the worker asked %d questions without waiting for answers", maxQuestions))
			}
		}
	}
}

// stopping ends the call under way: a connector that is to stop need not finish it.
func (r *connectorRun) stopping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.cancel()
}

// call runs one method of the connector; its context ends with ctx or a stop.
func (r *connectorRun) call(ctx context.Context, name string, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.cancel = cancel
	if r.stopped {
		cancel()
	}
	r.mu.Unlock()
	return r.out.calls.guard(name, func() error { return f(ctx) })
}

// author is the goroutine that the connector's methods are called in.
func (r *connectorRun) author(ctx context.Context, start *pluginv1.StartConnector, begin bool, err error) {
	defer close(r.done)
	stopped := false
	if err == nil && begin {
		err = r.begin(ctx, start)
	}
	for err == nil && !stopped {
		select {
		case m := <-r.questions:
			stopped = r.answer(ctx, m)
			continue
		case err = <-r.raised:
			continue
		case <-ctx.Done():
		case <-r.closed:
			// What came before the end is answered still.
			for len(r.questions) > 0 && !stopped {
				stopped = r.answer(ctx, <-r.questions)
			}
		}
		break
	}
	if begin && !stopped && r.connector != nil {
		stopCtx, cancel := stopContext(ctx)
		if stopErr := r.out.calls.guard("stop", func() error { return r.connector.Stop(stopCtx) }); stopErr != nil {
			r.log.logger().Error("stop failed", "error", stopErr)
		}
		cancel()
	}
	if err != nil && ctx.Err() == nil {
		r.out.fail(err)
		return
	}
	if stopped {
		select {
		case <-r.closed:
		case <-ctx.Done():
		}
	}
	r.out.close()
}

func (r *connectorRun) begin(ctx context.Context, start *pluginv1.StartConnector) error {
	host := &ConnectorContext{
		name: r.name, log: r.log.logger(), metrics: &r.out.metrics, offsets: r.reader,
		reconf: func() {
			_ = r.out.post(ctx, &pluginv1.RunConnectorResponse{Epoch: r.epoch, Frame: &pluginv1.RunConnectorResponse_RequestReconfiguration{
				RequestReconfiguration: &pluginv1.RequestReconfiguration{},
			}})
		},
		raise: func(err error) {
			if err == nil {
				return
			}
			select {
			case r.raised <- err:
			default: // the first one counts
			}
		},
	}
	err := r.call(ctx, "start", func(ctx context.Context) error { return r.connector.Start(ctx, start.GetConfig(), host) })
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	_ = r.out.post(ctx, &pluginv1.RunConnectorResponse{Epoch: r.epoch, Frame: &pluginv1.RunConnectorResponse_Started{Started: &pluginv1.ConnectorStarted{}}})
	return nil
}

// answer runs one question; true means that the connector was stopped.
func (r *connectorRun) answer(ctx context.Context, m *pluginv1.RunConnectorRequest) (stopped bool) {
	out := &pluginv1.RunConnectorResponse{Epoch: r.epoch}
	switch f := m.GetFrame().(type) {
	case *pluginv1.RunConnectorRequest_TaskConfigs:
		out.Frame = &pluginv1.RunConnectorResponse_TaskConfigsResult{TaskConfigsResult: r.taskConfigs(ctx, f.TaskConfigs)}
	case *pluginv1.RunConnectorRequest_AlterOffsets:
		out.Frame = &pluginv1.RunConnectorResponse_AlterOffsetsResult{AlterOffsetsResult: r.alterOffsets(ctx, f.AlterOffsets)}
	case *pluginv1.RunConnectorRequest_ExactlyOnceSupport:
		result := &pluginv1.SupportResult{RequestId: f.ExactlyOnceSupport.GetRequestId()}
		if c, ok := r.connector.(ExactlyOnceSupporter); ok {
			r.support(ctx, "exactlyOnceSupport", result, f.ExactlyOnceSupport.GetConfig(), c.ExactlyOnceSupport)
		}
		out.Frame = &pluginv1.RunConnectorResponse_SupportResult{SupportResult: result}
	case *pluginv1.RunConnectorRequest_TransactionBoundarySupport:
		result := &pluginv1.SupportResult{RequestId: f.TransactionBoundarySupport.GetRequestId()}
		if c, ok := r.connector.(TransactionBoundaries); ok {
			r.support(ctx, "transactionBoundaries", result, f.TransactionBoundarySupport.GetConfig(), c.CanDefineTransactionBoundaries)
		}
		out.Frame = &pluginv1.RunConnectorResponse_SupportResult{SupportResult: result}
	case *pluginv1.RunConnectorRequest_Deleted:
		result := &pluginv1.DeletedResult{RequestId: f.Deleted.GetRequestId()}
		if c, ok := r.connector.(Deleter); ok {
			result.Error = errorProto(r.call(ctx, "deleted", func(ctx context.Context) error { return c.Deleted(ctx, f.Deleted.GetConfig()) }))
		}
		out.Frame = &pluginv1.RunConnectorResponse_DeletedResult{DeletedResult: result}
	case *pluginv1.RunConnectorRequest_Stop:
		out.Frame = &pluginv1.RunConnectorResponse_Stopped{Stopped: r.stop(ctx, f.Stop)}
		stopped = true
	default:
		return false
	}
	_ = r.out.post(ctx, out)
	return stopped
}

func (r *connectorRun) stop(ctx context.Context, f *pluginv1.StopConnector) *pluginv1.ConnectorStopped {
	deadline := time.Duration(min(f.GetDeadlineMs(), 1<<40)) * time.Millisecond
	if deadline == 0 {
		deadline = stopTimeout
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	err := r.out.calls.guard("stop", func() error { return r.connector.Stop(stopCtx) })
	return &pluginv1.ConnectorStopped{Error: errorProto(err)}
}

func (r *connectorRun) taskConfigs(ctx context.Context, f *pluginv1.TaskConfigs) *pluginv1.TaskConfigsResult {
	result := &pluginv1.TaskConfigsResult{RequestId: f.GetRequestId()}
	var configs []Config
	err := r.call(ctx, "taskConfigs", func(ctx context.Context) (err error) {
		configs, err = r.connector.TaskConfigs(ctx, int(min(f.GetMaxTasks(), 1<<30)))
		return err
	})
	if err != nil {
		result.Error = errorProto(fmt.Errorf("task configs: %w", err))
		return result
	}
	for _, c := range configs {
		result.Configs = append(result.Configs, &pluginv1.TaskConfig{Config: c})
	}
	return result
}

func (r *connectorRun) support(
	ctx context.Context, name string, result *pluginv1.SupportResult, cfg Config,
	ask func(context.Context, Config) (bool, error),
) {
	var yes bool
	err := r.call(ctx, name, func(ctx context.Context) (err error) {
		yes, err = ask(ctx, cfg)
		return err
	})
	switch {
	case err != nil:
		result.Error = errorProto(err)
	case yes:
		result.Support = pluginv1.Support_SUPPORT_SUPPORTED
	default:
		result.Support = pluginv1.Support_SUPPORT_UNSUPPORTED
	}
}

func (r *connectorRun) alterOffsets(ctx context.Context, f *pluginv1.AlterOffsets) *pluginv1.AlterOffsetsResult {
	result := &pluginv1.AlterOffsetsResult{RequestId: f.GetRequestId()}
	var err error
	switch c := r.connector.(type) {
	case OffsetAlterer:
		var offsets []PartitionOffset
		if offsets, err = partitionOffsets(f.GetOffsets()); err != nil {
			break
		}
		err = r.call(ctx, "alterOffsets", func(ctx context.Context) error { return c.AlterOffsets(ctx, f.GetConfig(), offsets) })
	case SinkOffsetAlterer:
		offsets := make(map[TopicPartition]int64)
		for _, o := range f.GetKafkaOffsets() {
			to := int64(-1)
			if o.Offset != nil {
				to = o.GetOffset()
			}
			offsets[TopicPartition{Topic: o.GetTopic(), Partition: o.GetPartition()}] = to
		}
		err = r.call(ctx, "alterOffsets", func(ctx context.Context) error { return c.AlterOffsets(ctx, f.GetConfig(), offsets) })
	default:
		return result // no opinion
	}
	if err != nil {
		result.Error = errorProto(err)
		return result
	}
	result.Handled = true
	return result
}

func partitionOffsets(in []*pluginv1.PartitionOffset) ([]PartitionOffset, error) {
	var out []PartitionOffset
	for _, p := range in {
		partition, err := decodeStringMap(p.GetPartition())
		if err != nil {
			return nil, fmt.Errorf("source partition: %w", err)
		}
		offset, err := decodeStringMap(p.GetOffset())
		if err != nil {
			return nil, fmt.Errorf("source offset: %w", err)
		}
		out = append(out, PartitionOffset{Partition: partition, Offset: offset})
	}
	return out, nil
}
