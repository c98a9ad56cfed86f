package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// Options say what is replayed, and how.
type Options struct {
	// Topic is that of the dead letters.
	Topic  string
	Filter Filter
	// To is the topic that all letters go to; "" is for the one of each letter.
	To string
	// Again replays letters that were replayed before, too.
	Again bool
	// DryRun counts and writes nothing.
	DryRun bool
	// RecordsPerSecond bounds the rate; 0 is for no bound.
	RecordsPerSecond int
	// Remake makes the record of a source's letter that was not converted yet; nil where
	// there is no configuration of its connector.
	Remake func(*Letter) (kafka.OutRecord, error)
	// Told hears how far the replay is, after each transaction.
	Told func(Progress)

	Reader, Writer, Admin kafka.ClientConfig
}

// Progress is how far a replay is.
type Progress struct {
	Done, Total int
	Since       time.Time
}

// PerSecond is the rate since the beginning.
func (p Progress) PerSecond() float64 {
	return float64(p.Done) / max(time.Since(p.Since).Seconds(), 1e-3)
}

// Left is how long the rest takes at this rate.
func (p Progress) Left() time.Duration {
	return time.Duration(float64(p.Total-p.Done) / max(p.PerSecond(), 1e-3) * float64(time.Second))
}

// Summary is what a replay did.
type Summary struct {
	// Chosen letters fit the filter, Before of them were replayed already, Replayed were written now.
	Chosen   int `json:"chosen"`
	Before   int `json:"replayed_before"`
	Replayed int `json:"replayed"`
}

// transactionRecords is how many letters a transaction has at most.
const transactionRecords = 500

// Replay writes the chosen letters to their topics, in order, each once. It stops at the
// first letter that cannot be written, and says which; what was written before stays, and
// another call goes on behind it.
func Replay(ctx context.Context, o Options) (Summary, error) {
	r := &replay{o: o}
	if !o.DryRun {
		closeAll, err := r.open(ctx)
		if err != nil {
			return Summary{}, err
		}
		defer closeAll()
	}
	var err error
	if r.done, err = readProgress(ctx, o.Reader, o.Topic); err != nil {
		return Summary{}, err
	}
	if err := r.count(ctx); err != nil || o.DryRun {
		return r.sum, err
	}
	r.progress = Progress{Total: r.sum.Chosen, Since: time.Now()}
	if !o.Again {
		r.progress.Total -= r.sum.Before
	}
	err = read(ctx, o.Reader, o.Topic, o.Filter, r.done, func(l Letter) error { return r.take(ctx, l) })
	if err == nil {
		err = r.write(ctx)
	}
	return r.sum, err
}

type replay struct {
	o        Options
	admin    *kafka.Admin
	out      *kafka.Transactor
	done     progress
	sum      Summary
	progress Progress
	letters  []Letter
	records  []kafka.OutRecord
	topics   map[string]int // partitions
}

// open fences another replay of the topic before the progress is read.
func (r *replay) open(ctx context.Context) (closeAll func(), err error) {
	if r.admin, err = kafka.NewAdmin(r.o.Admin); err != nil {
		return nil, err
	}
	if err = ensureProgressTopic(ctx, r.admin, r.o.Topic); err == nil {
		r.out, err = kafka.NewTransactor(ctx, r.o.Writer, "tailrace-dlq-replay-"+r.o.Topic)
	}
	if err != nil {
		r.admin.Close()
		return nil, err
	}
	r.topics = map[string]int{}
	return func() { r.out.Close(); r.admin.Close() }, nil
}

// count finds how much there is to do, and what cannot be done, before anything is written.
func (r *replay) count(ctx context.Context) error {
	return read(ctx, r.o.Reader, r.o.Topic, r.o.Filter, r.done, func(l Letter) error {
		r.sum.Chosen++
		if l.Replayed {
			r.sum.Before++
			if !r.o.Again {
				return nil
			}
		}
		_, err := r.record(ctx, &l)
		return err
	})
}

func (r *replay) take(ctx context.Context, l Letter) error {
	if l.Replayed && !r.o.Again {
		return nil
	}
	record, err := r.record(ctx, &l)
	if err != nil {
		return err
	}
	r.letters, r.records = append(r.letters, l), append(r.records, record)
	limit := transactionRecords
	if r.o.RecordsPerSecond > 0 {
		limit = max(min(limit, r.o.RecordsPerSecond/4), 1) // some steps a second
	}
	if len(r.records) < limit {
		return nil
	}
	return r.write(ctx)
}

// record is what is written for a letter.
func (r *replay) record(ctx context.Context, l *Letter) (out kafka.OutRecord, err error) {
	if l.Cut != "" {
		return out, l.fails(fmt.Errorf("its %s was left out: %s; fetch the record from where it came from, and leave the letter out with --where 'letter != %d'", l.Cut, l.CutReason, l.Offset))
	}
	switch l.Form {
	case "", formKafka:
		out = kafka.OutRecord{Topic: l.Topic, Partition: l.OriginPartition, TimestampMillis: l.Time.UnixMilli(), Key: l.Key, Value: l.Value, Headers: l.Headers}
	case formConnect:
		if r.o.Remake == nil {
			return out, l.fails(errors.New("it is of a source and was not converted: give the connector's configuration with --config"))
		}
		if out, err = r.o.Remake(l); err != nil {
			return out, l.fails(err)
		}
	default:
		return out, l.fails(fmt.Errorf("its form is %q: there is no record in it; leave it out with --where 'letter != %d'", l.Form, l.Offset))
	}
	if r.o.To != "" {
		out.Topic, out.Partition = r.o.To, kafka.PartitionAny
	}
	if out.Topic == "" {
		return out, l.fails(errors.New("it does not tell its topic (the connector had errors.deadletterqueue.context.headers.enable=false); name one with --to"))
	}
	if r.o.DryRun || out.Partition == kafka.PartitionAny {
		return out, nil
	}
	n, err := r.partitions(ctx, out.Topic)
	if int(out.Partition) >= n {
		out.Partition = kafka.PartitionAny // the topic is another one now
	}
	return out, err
}

func (r *replay) partitions(ctx context.Context, topic string) (int, error) {
	if n, known := r.topics[topic]; known {
		return n, nil
	}
	found, err := r.admin.Topics(ctx, topic)
	if err != nil {
		return 0, err
	}
	r.topics[topic] = found[topic].Partitions
	return found[topic].Partitions, nil
}

func (l *Letter) fails(err error) error {
	return fmt.Errorf("the dead letter at offset %d of partition %d cannot be replayed: %w", l.Offset, l.Partition, err)
}

// write writes what is collected, with the note about it.
func (r *replay) write(ctx context.Context) error {
	if len(r.records) == 0 {
		return nil
	}
	notes, err := noted(r.o.Topic, r.letters)
	if err != nil {
		return err
	}
	if err := r.out.Write(ctx, append(r.records, notes...)); err != nil {
		var refused *kafka.RecordError
		if errors.As(err, &refused) && refused.Index < len(r.letters) {
			return r.letters[refused.Index].fails(err)
		}
		return err
	}
	r.sum.Replayed += len(r.letters)
	r.progress.Done += len(r.letters)
	r.letters, r.records = r.letters[:0], r.records[:0]
	if r.o.Told != nil {
		r.o.Told(r.progress)
	}
	return r.pace(ctx)
}

// pace waits so that the rate is kept.
func (r *replay) pace(ctx context.Context) error {
	if r.o.RecordsPerSecond <= 0 || r.progress.Done >= r.progress.Total {
		return nil
	}
	due := r.progress.Since.Add(time.Duration(float64(r.progress.Done) / float64(r.o.RecordsPerSecond) * float64(time.Second)))
	select {
	case <-time.After(time.Until(due)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
