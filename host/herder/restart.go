package herder

import (
	"context"

	"github.com/tailrace/tailrace/host/store"
)

// restartPlan says what a restart request affects.
type restartPlan struct {
	connector bool
	tasks     []int
}

// planRestart decides by the rules of KIP-745. Pure.
func planRestart(status Status, request RestartRequest) restartPlan {
	hit := func(s InstanceStatus) bool { return !request.OnlyFailed || s.State == string(store.StateFailed) }
	p := restartPlan{connector: hit(status.Connector)}
	if request.IncludeTasks {
		for _, t := range status.Tasks {
			if hit(t.InstanceStatus) {
				p.tasks = append(p.tasks, t.ID)
			}
		}
	}
	return p
}

// apply shows what is planned in a status. It changes the status that it is given.
func (p restartPlan) apply(s *Status) {
	if p.connector {
		s.Connector.State = string(store.StateRestarting)
	}
	for i := range s.Tasks {
		for _, n := range p.tasks {
			if s.Tasks[i].ID == n {
				s.Tasks[i].State = string(store.StateRestarting)
			}
		}
	}
}

func (p restartPlan) wish() wish {
	w := wish{connector: p.connector, tasks: map[int]bool{}}
	for _, n := range p.tasks {
		w.tasks[n] = true
	}
	return w
}

// Restart implements Herder.
func (s *Standalone) Restart(ctx context.Context, name string, request RestartRequest) (*Status, error) {
	if _, ok := s.configs.Snapshot().Connectors[name]; !ok {
		return nil, failed(NotFound, "Unknown connector: %s", name)
	}
	plain := !request.IncludeTasks && !request.OnlyFailed
	status, err := s.Status(name)
	if err != nil {
		if plain {
			s.crew.send(name, letter{anew: wish{connector: true}})
			return nil, nil //nolint:nilnil // no status is asked for
		}
		return nil, err
	}
	p := planRestart(status, request)
	s.restart(ctx, name, p, status)
	if plain {
		return nil, nil //nolint:nilnil // no status is asked for
	}
	p.apply(&status)
	return &status, nil
}

// restart shows what is about to be restarted on this worker, and does it. status is what was shown before.
func (s *core) restart(ctx context.Context, name string, p restartPlan, status Status) {
	if p.connector {
		s.noteRestart(name, status.Connector, func(st store.Status) error { return s.statuses.PutConnector(ctx, name, st) })
	}
	before := map[int]InstanceStatus{}
	for _, t := range status.Tasks {
		before[t.ID] = t.InstanceStatus
	}
	for _, n := range p.tasks {
		s.noteRestart(name, before[n], func(st store.Status) error {
			return s.statuses.PutTask(ctx, store.TaskID{Connector: name, Task: n}, st)
		})
	}
	s.crew.send(name, letter{anew: p.wish()})
}

// noteRestart shows RESTARTING. A lost status does no harm, so a failure is only logged.
func (s *core) noteRestart(name string, status InstanceStatus, put func(store.Status) error) {
	err := put(store.Status{State: store.StateRestarting, Trace: status.Trace, WorkerID: s.workerID, Generation: s.generation(), Version: status.Version})
	if err != nil {
		s.logger.Warn("a status could not be stored", "connector", name, "error", err)
	}
}

// RestartTask implements Herder.
func (s *Standalone) RestartTask(ctx context.Context, name string, task int) error {
	c, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return failed(NotFound, "Unknown connector: %s", name)
	}
	if task < 0 || task >= len(c.Tasks) {
		return failed(NotFound, "Task %s-%d not found", name, task) // a standalone worker of Kafka Connect says it so
	}
	status, _ := s.Status(name)
	s.restart(ctx, name, restartPlan{tasks: []int{task}}, status)
	return nil
}
