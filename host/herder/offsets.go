package herder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
)

// offsetsTimeout bounds a whole operation on offsets; below the REST API's 90 s so that its error says what took so long.
const offsetsTimeout = 60 * time.Second

// Offsets implements Herder.
func (s *core) Offsets(ctx context.Context, name string) (Offsets, error) {
	c, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return Offsets{}, notFound(name)
	}
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	if s.typeOf(c.Config) == SinkType {
		return s.sinkOffsets(ctx, name, c.Config)
	}
	return s.sourceOffsets(ctx, name, c.Config)
}

// OffsetsOf opens the store of a connector's source offsets; release gives it back.
type OffsetsOf func(ctx context.Context, c *config.Connector) (offsets store.OffsetStore, release func(), err error)

// openOffsets opens the store of a connector's source offsets.
func (s *core) openOffsets(ctx context.Context, name string, props map[string]string) (offsets store.OffsetStore, release func(), err error) {
	if s.offsetsOf == nil || s.typeOf(props) == SinkType {
		return s.offsets, func() {}, nil
	}
	c, err := config.ParseConnector(config.Source, props, s.settings)
	switch {
	case err == nil:
		offsets, release, err = s.offsetsOf(ctx, c)
	case props["offsets.storage.topic"] == "":
		return s.offsets, func() {}, nil // its offsets can be read whatever is wrong with it
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the offsets of connector %s: %w", name, err)
	}
	return offsets, release, nil
}

func (s *core) sourceOffsets(ctx context.Context, name string, props map[string]string) (Offsets, error) {
	offsets, release, err := s.openOffsets(ctx, name, props)
	if err != nil {
		return Offsets{}, err
	}
	defer release()
	entries, err := offsets.Connector(ctx, name)
	if err != nil {
		return Offsets{}, fmt.Errorf("read the offsets of connector %s: %w", name, err)
	}
	out := Offsets{Offsets: []Offset{}}
	for _, e := range entries {
		_, partition, err := store.SplitOffsetKey(e.Key)
		if err != nil || e.Value == nil {
			continue
		}
		out.Offsets = append(out.Offsets, Offset{Partition: json.RawMessage(partition), Offset: json.RawMessage(e.Value)})
	}
	return out, nil
}

func (s *core) sinkOffsets(ctx context.Context, name string, props map[string]string) (Offsets, error) {
	admin, group, err := s.groupAdmin(name, props)
	if err != nil {
		return Offsets{}, err
	}
	defer admin.Close()
	committed, err := admin.GroupOffsets(ctx, group)
	if err != nil {
		return Offsets{}, fmt.Errorf("Failed to retrieve consumer group offsets for sink connector %s: %w", name, err) //nolint:staticcheck // Kafka Connect's words
	}
	partitions := make([]kafka.TopicPartition, 0, len(committed))
	for tp := range committed {
		partitions = append(partitions, tp)
	}
	slices.SortFunc(partitions, func(a, b kafka.TopicPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	out := Offsets{Offsets: []Offset{}}
	for _, tp := range partitions {
		partition, err := json.Marshal(struct {
			Partition int32  `json:"kafka_partition"`
			Topic     string `json:"kafka_topic"`
		}{tp.Partition, tp.Topic})
		if err != nil {
			return Offsets{}, err
		}
		out.Offsets = append(out.Offsets, Offset{partition, json.RawMessage(fmt.Sprintf(`{"kafka_offset":%d}`, committed[tp]))})
	}
	return out, nil
}

// groupAdmin makes an admin client for the consumer group of a sink connector.
func (s *core) groupAdmin(name string, props map[string]string) (*kafka.Admin, string, error) {
	c, err := config.ParseConnector(config.Sink, props, s.settings)
	if err != nil {
		return nil, "", failed(BadRequest, "%s", err.Error())
	}
	cfg, _, err := kafka.ParseClientConfig(kafka.AdminClient, c.AdminProps(s.settings, config.WorkerAdminClientID(name)))
	if err != nil {
		return nil, "", err
	}
	admin, err := kafka.NewAdmin(cfg)
	return admin, c.SinkGroup(s.settings), err
}
