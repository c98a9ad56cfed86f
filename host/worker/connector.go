package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// connectorRunner owns one connector.
type connectorRunner struct {
	*runner
	name string
}

// stopDeadline is what a connector gets for stopping.
const stopDeadline = 5 * time.Second

func (r *connectorRunner) run() {
	defer close(r.done)
	defer r.cut()
	r.loop(func(ctx context.Context) (bool, error) { return false, r.once(ctx) }, r.tell)
}

func (r *connectorRunner) tell(state store.State, err error) {
	r.entered(state, &r.w.connectorStarts)
	if r.life.Err() != nil {
		return // cut off: it may run elsewhere, and what is told now would hide that (I-5)
	}
	r.w.cfg.Listener.ConnectorState(r.name, state, err)
}

// once is one life of the connector: until it is stopped, told to pause, fails,
// or its process dies. A paused connector is a stopped one that waits, as in Kafka Connect.
func (r *connectorRunner) once(ctx context.Context) error {
	if target := r.targetState(); target != store.TargetStarted {
		return r.wait(ctx, target)
	}
	s, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	offsets, _, release, err := r.offsetsOf(ctx, s.connector)
	if err != nil {
		return s.failure("connector "+r.name+" did not start", err)
	}
	defer release()
	level := r.w.cfg.LogLevel(r.name)
	stream, err := s.OpenConnector(ctx, plugin.ConnectorStart{
		Epoch: r.w.epochs.Add(1), Connector: s.resolved.Connector.Name, Name: r.name,
		Config: s.connector.Resolution.Props, LogLevel: level, Offsets: task.OffsetReader(r.name, offsets),
		Metrics: func(samples []plugin.Metric) { r.measured(samples, s.masker.Text) },
	})
	if err != nil {
		return s.failure("connector "+r.name+" did not start", err)
	}
	defer stream.Close()
	again, err := r.divide(ctx, s, stream)
	if err != nil {
		return s.failure("connector "+r.name, err)
	}
	s.started()
	r.tell(store.StateRunning, nil)
	for {
		select {
		case <-stream.Done():
			err := stream.Err()
			if err == nil {
				err = &plugin.ProtocolError{Reason: "the connector ended its stream without being asked to stop"}
			}
			return s.failure("connector "+r.name, err)
		case <-stream.Reconfigure():
			if again, err = r.divide(ctx, s, stream); err != nil {
				return s.failure("connector "+r.name, err)
			}
		case <-again:
			if again, err = r.divide(ctx, s, stream); err != nil {
				return s.failure("connector "+r.name, err)
			}
		case <-r.poke:
			if r.isStopping() || r.isRenewed() || r.targetState() != store.TargetStarted {
				return r.end(ctx, s, stream)
			}
			if now := r.w.cfg.LogLevel(r.name); now != level {
				level = now
				if err := stream.SetLogLevel(level); err != nil {
					return s.failure("connector "+r.name, err)
				}
			}
		case <-r.stopping:
			return r.end(ctx, s, stream)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// divideAgainAfter is the pause before a connector that cannot divide its work for now is asked again.
const divideAgainAfter = 5 * time.Second

// divide asks for the task configurations and tells them, secrets put back to
// the references that the user wrote. A connector that cannot tell for now keeps the
// tasks that it has; again says when to ask it next.
func (r *connectorRunner) divide(ctx context.Context, s *share, stream *plugin.ConnectorStream) (again <-chan time.Time, err error) {
	configs, err := stream.TaskConfigs(ctx, s.connector.TasksMax)
	var remote *plugin.RemoteError
	if errors.As(err, &remote) && remote.Retriable {
		r.logger.Warn("the connector cannot divide its work for now; its tasks stay as they are", "error", s.masker.Error(err), "after", divideAgainAfter)
		return time.After(divideAgainAfter), nil
	}
	if err != nil {
		return nil, fmt.Errorf("task configurations: %w", err)
	}
	if len(configs) > s.connector.TasksMax {
		if s.connector.TasksMaxEnforce {
			return nil, fmt.Errorf("the connector made %d tasks although tasks.max is %d; raise tasks.max, or set tasks.max.enforce=false", len(configs), s.connector.TasksMax)
		}
		r.logger.Warn("the connector made more tasks than tasks.max allows; they run because tasks.max.enforce is false", "tasks", len(configs), "tasks_max", s.connector.TasksMax)
	}
	for i, c := range configs {
		configs[i] = s.connector.Resolution.Reverse(c)
	}
	r.w.cfg.Listener.TaskConfigs(r.name, configs)
	return nil, nil
}

// end stops the connector in order.
func (r *connectorRunner) end(ctx context.Context, s *share, stream *plugin.ConnectorStream) error {
	ctx, cancel := context.WithTimeout(ctx, stopDeadline+time.Second)
	defer cancel()
	return s.failure("connector "+r.name+" did not stop cleanly", stream.Stop(ctx, stopDeadline))
}

// wait holds a connector that is to be paused or stopped.
func (r *connectorRunner) wait(ctx context.Context, target store.TargetState) error {
	state := store.StatePaused
	if target == store.TargetStopped {
		state = store.StateStopped
	}
	r.tell(state, nil)
	for {
		select {
		case <-r.poke:
			if r.isStopping() || r.targetState() != target {
				return nil
			}
		case <-r.stopping:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
