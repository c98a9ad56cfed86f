package worker

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/convert/evolution"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
)

// newTransforms builds the chain of a connector, nil when it names none.
func newTransforms(c *config.Connector, others transform.Others) (*transform.Chain, error) {
	if len(c.Transforms) == 0 {
		return nil, nil //nolint:nilnil // no chain is not a failure
	}
	return transform.FromConfig(c.Transforms, c.Predicates, others)
}

// withEvolution puts schema.evolution before a converter of a source.
func withEvolution(conv convert.Converter, part string, c *config.Connector, logger *slog.Logger) convert.Converter {
	if c.Source == nil {
		return conv
	}
	return convert.WithEvolution(conv, convert.Evolution{
		Policy: evolution.Policy(c.Source.SchemaEvolution), Connector: c.Name, Part: part,
		Ignored: func(topic, what string) {
			logger.Warn("records are written in the known schema, because of schema.evolution=ignore", "topic", topic, "part", part, "changed", what)
		},
	})
}

// fullClass completes the alias of a converter: dead letters and logs name the Java class.
func fullClass(class string) string {
	if full, ok := fullClasses()[class[strings.LastIndexByte(class, '.')+1:]]; ok {
		return full
	}
	return class
}

// fullClasses has the converters under their simple names, with and without "Converter".
var fullClasses = sync.OnceValue(func() map[string]string {
	classes := map[string]string{}
	for _, name := range convert.Names() {
		simple := name[strings.LastIndexByte(name, '.')+1:]
		classes[simple], classes[strings.TrimSuffix(simple, "Converter")] = name, name
	}
	return classes
})

// deadLetters gives what opens the dead letter topic of a task, nil when it has none.
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
	var lookup *kafka.Lookup
	if s.connector.Kind == config.Sink {
		consumerConfig, err := r.clientConfig(kafka.ConsumerClient, s.connector.ConsumerProps(settings, r.id.Task))
		if err != nil {
			return nil, err
		}
		if lookup, err = kafka.NewLookup(consumerConfig); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (task.DeadLetters, error) {
		if err := ensureDeadLetterTopic(ctx, adminConfig, s.connector); err != nil {
			return nil, err
		}
		producer, err := kafka.NewProducer(producerConfig)
		if err != nil {
			return nil, err
		}
		// Several letters in one request must not be refused for their sum; a client that may not ask goes on without.
		if err := producer.LearnTopicLimit(ctx, dlq.Topic); err != nil {
			r.logger.Debug("the largest dead letter that the topic takes is not known", "topic", dlq.Topic, "error", err)
		}
		cfg := task.DeadLetterConfig{
			ID: r.id, Topic: dlq.Topic, ContextHeaders: dlq.ContextHeaders, Producer: producer, Mask: s.masker.Text, Logger: r.logger,
		}
		if lookup != nil {
			cfg.Lookup = lookup
		}
		return task.NewDeadLetterTopic(cfg), nil
	}, nil
}

func ensureDeadLetterTopic(ctx context.Context, cfg kafka.ClientConfig, c *config.Connector) error {
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	var configs map[string]string
	if c.Kind == config.Source { // it must hold what is too large elsewhere
		configs = map[string]string{"max.message.bytes": strconv.Itoa(config.SourceDeadLetterBytes)}
	}
	return task.EnsureDeadLetterTopic(ctx, admin, c.Errors.DLQ.Topic, c.Errors.DLQ.ReplicationFactor, configs)
}
