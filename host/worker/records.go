package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
)

// newTransforms builds the chain of a connector, nil when it names none.
func newTransforms(c *config.Connector) (*transform.Chain, error) {
	if len(c.Transforms) == 0 {
		return nil, nil //nolint:nilnil // no chain is not a failure
	}
	return transform.FromConfig(c.Transforms, c.Predicates, nil)
}

// fullClass completes the alias of a converter: dead letters and logs name the Java class.
func fullClass(class string) string {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	for _, name := range convert.Names() {
		if short := name[strings.LastIndexByte(name, '.')+1:]; short == simple || short == simple+"Converter" {
			return name
		}
	}
	return class
}

// deadLetters gives what opens the dead letter topic of a sink task, nil when it has none.
func (r *taskRunner) deadLetters(s *share) (func(context.Context) (task.DeadLetters, error), error) {
	dlq := s.connector.Errors.DLQ
	if dlq == nil {
		return nil, nil //nolint:nilnil // no topic is not a failure
	}
	settings := r.w.cfg.Settings
	producerConfig, err := r.clientConfig(kafka.ProducerClient, s.connector.DLQProducerProps(settings, r.id.Task))
	if err != nil {
		return nil, err
	}
	adminConfig, err := r.clientConfig(kafka.AdminClient, s.connector.AdminProps(settings, config.DLQAdminClientID(r.id.Connector, r.id.Task)))
	if err != nil {
		return nil, err
	}
	consumerConfig, err := r.clientConfig(kafka.ConsumerClient, s.connector.ConsumerProps(settings, r.id.Task))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (task.DeadLetters, error) {
		if err := ensureDeadLetterTopic(ctx, adminConfig, dlq); err != nil {
			return nil, err
		}
		producer, err := kafka.NewProducer(producerConfig)
		if err != nil {
			return nil, err
		}
		return task.NewDeadLetterTopic(task.DeadLetterConfig{
			ID: r.id, Topic: dlq.Topic, ContextHeaders: dlq.ContextHeaders, Producer: producer,
			Lookup: func(ctx context.Context, records []task.Errant) error { return lookUp(ctx, consumerConfig, records) },
			Mask:   s.masker.Text, Logger: r.logger,
		}), nil
	}, nil
}

func ensureDeadLetterTopic(ctx context.Context, cfg kafka.ClientConfig, dlq *config.DeadLetterQueue) error {
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	return task.EnsureDeadLetterTopic(ctx, admin, dlq.Topic, dlq.ReplicationFactor)
}

// lookUp fills in the records that are only known by their coordinates.
func lookUp(ctx context.Context, cfg kafka.ClientConfig, records []task.Errant) error {
	type place struct {
		tp     kafka.TopicPartition
		offset int64
	}
	wanted := map[kafka.TopicPartition][]int64{}
	places := map[place]*task.Errant{}
	for i := range records {
		e := &records[i]
		if e.HasRecord {
			continue
		}
		tp := kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}
		wanted[tp] = append(wanted[tp], e.Offset)
		places[place{tp, e.Offset}] = e
	}
	err := kafka.Lookup(ctx, cfg, wanted, func(tp kafka.TopicPartition, offset int64, found kafka.FoundRecord) {
		if e := places[place{tp, offset}]; e != nil {
			e.HasRecord, e.Key, e.Value, e.Headers, e.TimestampMillis = true, found.Key, found.Value, found.Headers, found.TimestampMillis
		}
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the topic did not give them in time: %w", err)
	}
	return err
}
