package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// TopicSpec is one of the topics in which a cluster keeps its state, and how to
// create it.
type TopicSpec struct {
	Name string
	// Setting is the worker's key that names the topic, for errors: config.storage.topic.
	Setting           string
	Partitions        int32 // -1: the broker's default
	ReplicationFactor int16 // -1: the broker's default
	// Configs are further settings at creation; cleanup.policy is always compact.
	Configs map[string]string
	// OnePartition refuses a topic with more: its order would be lost.
	OnePartition bool
}

// TopicClients are what a store on a topic talks to Kafka with. Each store opens
// its own consumer and producer from the configurations.
type TopicClients struct {
	Admin    *kafka.Admin
	Consumer kafka.ClientConfig
	Producer kafka.ClientConfig
	// Log receives what was wrong with records that are skipped; nil discards it.
	Log *slog.Logger
}

func (c TopicClients) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// open makes sure of the topic and reads it to its end. A broker that comes and goes is waited for until ctx ends.
func (c TopicClients) open(ctx context.Context, spec TopicSpec, apply func([]kafka.LogRecord)) (*kafka.TopicLog, error) {
	if err := c.persist(ctx, spec, func() error { return ensureTopic(ctx, c.Admin, spec, c.log()) }); err != nil {
		return nil, err
	}
	var log *kafka.TopicLog
	err := c.persist(ctx, spec, func() (err error) {
		// A log that could not be opened has applied nothing, so that opening it again starts from nothing.
		log, err = kafka.OpenTopicLog(ctx, kafka.TopicLogConfig{Topic: spec.Name, Consumer: c.Consumer, Producer: c.Producer, Apply: apply})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("topic %s (%s): %w", spec.Name, spec.Setting, err)
	}
	if err := c.persist(ctx, spec, func() error { return log.ReadToEnd(ctx) }); err != nil {
		_ = log.Close() //nolint:contextcheck // it waits a second at most
		return nil, fmt.Errorf("topic %s (%s): %w", spec.Name, spec.Setting, err)
	}
	return log, nil
}

// openRetryDelay lies between two attempts at an internal topic.
const openRetryDelay = 250 * time.Millisecond

// persist tries again for as long as that may help and ctx lasts. The first failure is logged.
func (c TopicClients) persist(ctx context.Context, spec TopicSpec, attempt func() error) error {
	for first := true; ; first = false {
		err := attempt()
		if err == nil || !kafka.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
		if first {
			c.log().Warn("an internal topic cannot be opened yet; trying again", "topic", spec.Name, "setting", spec.Setting, "error", err)
		}
		select {
		case <-time.After(openRetryDelay):
		case <-ctx.Done():
			return err
		}
	}
}

// ensureTopic creates the topic if it is missing and refuses one in which state
// would get lost (reference section 3.1).
func ensureTopic(ctx context.Context, admin *kafka.Admin, spec TopicSpec, log *slog.Logger) error {
	found, err := admin.Topics(ctx, spec.Name)
	if err != nil {
		return fmt.Errorf("topic %s (%s): %w", spec.Name, spec.Setting, err)
	}
	topic, exists := found[spec.Name]
	if !exists {
		if topic, err = createTopic(ctx, admin, spec, log); err != nil {
			return err
		}
	}
	if spec.OnePartition && topic.Partitions != 1 {
		return fmt.Errorf("topic %s (%s) has %d partitions and must have 1, because the order of its records matters: "+
			"name another topic, or copy its records into a new one with one partition", spec.Name, spec.Setting, topic.Partitions)
	}
	configs, err := admin.TopicConfigs(ctx, spec.Name)
	if errors.Is(err, kafka.ErrNotAuthorised) {
		log.Warn("cannot check that the topic is compacted, because this worker may not describe its configs", "topic", spec.Name, "setting", spec.Setting)
		return nil
	}
	if err != nil {
		return fmt.Errorf("topic %s (%s): %w", spec.Name, spec.Setting, err)
	}
	if policy := configs["cleanup.policy"]; policy != "compact" {
		return fmt.Errorf("topic %s (%s) has cleanup.policy=%s and must have cleanup.policy=compact, otherwise Kafka deletes the cluster's state after a while: "+
			"kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name %s --add-config cleanup.policy=compact",
			spec.Name, spec.Setting, policy, spec.Name)
	}
	return nil
}

func createTopic(ctx context.Context, admin *kafka.Admin, spec TopicSpec, log *slog.Logger) (kafka.Topic, error) {
	configs := map[string]string{}
	for k, v := range spec.Configs {
		configs[k] = v
	}
	configs["cleanup.policy"] = "compact"
	err := admin.CreateTopic(ctx, kafka.NewTopic{
		Name: spec.Name, Partitions: spec.Partitions, ReplicationFactor: spec.ReplicationFactor, Configs: configs,
	})
	switch {
	case errors.Is(err, kafka.ErrTopicExists): // another worker of the cluster was quicker
	case err != nil:
		return kafka.Topic{}, fmt.Errorf("topic %s (%s): %w", spec.Name, spec.Setting, err)
	default:
		log.Info("created topic", "topic", spec.Name, "setting", spec.Setting)
	}
	const pause = 50 * time.Millisecond
	for { // brokers learn of a new topic one after the other
		found, err := admin.Topics(ctx, spec.Name)
		if topic, ok := found[spec.Name]; ok && topic.Partitions > 0 {
			return topic, nil
		}
		select {
		case <-ctx.Done():
			return kafka.Topic{}, errors.Join(fmt.Errorf("topic %s (%s) was created and does not show up: %w", spec.Name, spec.Setting, ctx.Err()), err)
		case <-time.After(pause):
		}
	}
}

func logEntries(records []Record) []kafka.LogEntry {
	entries := make([]kafka.LogEntry, len(records))
	for i, r := range records {
		entries[i] = kafka.LogEntry{Key: r.Key, Value: r.Value}
	}
	return entries
}
