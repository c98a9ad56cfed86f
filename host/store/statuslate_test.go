package store

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
)

func TestWhatAForeignStatusMeans(t *testing.T) {
	own := Status{State: StateRunning, WorkerID: "b:1", Generation: 5}
	for _, c := range []struct {
		name       string
		seen       Status
		generation int
		want       claim
	}{
		{"its own", Status{State: StateUnassigned, WorkerID: "b:1", Generation: 4}, 5, claimNothing},
		{"a zombie's end", Status{State: StateUnassigned, WorkerID: "a:1", Generation: 4}, 5, claimLate},
		{"a zombie's beginning", Status{State: StateRunning, WorkerID: "a:1", Generation: 4}, 5, claimLate},
		{"an end in the same round", Status{State: StateUnassigned, WorkerID: "a:1", Generation: 5}, 5, claimLate},
		{"the end of a zombie that has joined again", Status{State: StateUnassigned, WorkerID: "a:1", Generation: 7}, 8, claimLate},
		{"an end in a round that is not known yet", Status{State: StateUnassigned, WorkerID: "a:1", Generation: 9}, 8, claimOvertaken},
		{"a successor", Status{State: StateRunning, WorkerID: "a:1", Generation: 6}, 5, claimOvertaken},
		{"a successor of a worker that came back", Status{State: StateRunning, WorkerID: "a:1", Generation: 6}, 7, claimOvertaken},
		{"both claim it", Status{State: StateRunning, WorkerID: "a:1", Generation: 5}, 5, claimNothing},
	} {
		require.Equal(t, c.want, claimOf(own, c.seen, c.generation), c.name)
	}
}

// place is a worker's standing that a test changes.
type place struct {
	generation atomic.Int64
	lost       atomic.Bool
}

func (p *place) place() Place {
	return Place{Generation: func() int { return int(p.generation.Load()) }, Leased: func() error {
		if p.lost.Load() {
			return errors.New("lost")
		}
		return nil
	}}
}

func TestALateStatusHidesNoSuccessor(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		a, b, reader := openStatuses(t, clients, topic), openStatuses(t, clients, topic), openStatuses(t, clients, topic)
		var at, bt place
		a.SetPlace(at.place())
		b.SetPlace(bt.place())
		id := TaskID{"c", 0}
		at.generation.Store(4)
		require.NoError(t, a.PutTask(ctx, id, Status{State: StateRunning, WorkerID: "a:1", Generation: 4}))
		require.NoError(t, a.Flush(ctx))
		at.lost.Store(true)
		bt.generation.Store(5)
		running := Status{State: StateRunning, WorkerID: "b:1", Generation: 5}
		require.NoError(t, b.PutTask(ctx, id, running))
		require.NoError(t, b.Flush(ctx))

		// Whether a has read what its successor said or not.
		require.NoError(t, a.PutTaskSafe(ctx, id, Status{State: StateUnassigned, WorkerID: "a:1", Generation: 4}))
		eventually(t, "the loser knows its successor", func() bool { st, _ := a.Task(id); return st == running })

		// What was on its way already: it comes after the successor's.
		require.NoError(t, a.PutTask(ctx, id, Status{State: StateUnassigned, WorkerID: "a:1", Generation: 4}))
		require.NoError(t, a.Flush(ctx))
		require.NoError(t, b.Refresh(ctx))
		require.NoError(t, b.Flush(ctx))
		require.NoError(t, reader.Refresh(ctx))
		st, _ := reader.Task(id)
		require.Equal(t, running, st, "the owner has said it again")

		// Nobody has taken over: the end is told.
		bt.lost.Store(true)
		gone := Status{State: StateUnassigned, WorkerID: "b:1", Generation: 5}
		require.NoError(t, b.PutTaskSafe(ctx, id, gone))
		eventually(t, "all hear of it", func() bool { st, _ := reader.Task(id); return st == gone })
	})
}

// A reset of a connector's topics on one worker reaches the tasks of all of them.
func TestAllWorkersHearThatTopicsWereForgotten(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		a, b := openStatuses(t, clients, topic), openStatuses(t, clients, topic)
		heard := make(chan string, 10)
		b.OnTopicsForgotten(func(connector string) { heard <- connector })
		require.NoError(t, a.PutTopic(ctx, "c", "t1"))
		require.NoError(t, a.PutTopic(ctx, "c", "t2"))
		require.NoError(t, a.PutTopic(ctx, "other", "t1"))
		require.NoError(t, a.Flush(ctx))
		require.NoError(t, b.Refresh(ctx))
		require.Equal(t, []string{"t1", "t2"}, b.Topics("c"))
		require.NoError(t, a.ResetTopics(ctx, "c"))
		require.Equal(t, "c", <-heard)
		eventually(t, "both are forgotten", func() bool { return len(b.Topics("c")) == 0 })
		// One that still uses it says so again, after the reset.
		require.NoError(t, b.PutTopic(ctx, "c", "t1"))
		require.NoError(t, b.Flush(ctx))
		require.NoError(t, a.Refresh(ctx))
		require.Equal(t, []string{"t1"}, a.Topics("c"))
		require.Equal(t, []string{"t1"}, a.Topics("other"))
	})
}
