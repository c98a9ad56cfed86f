package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Admin looks at and changes topics and consumer groups. It is safe for use by
// several goroutines. Every call ends with ctx, and with an error after
// request.timeout.ms and retries when no broker answers.
type Admin struct {
	cl     *kgo.Client
	adm    *kadm.Client
	cfg    ClientConfig
	health *health
}

// NewAdmin makes an admin client; it connects with the first call.
func NewAdmin(cfg ClientConfig) (*Admin, error) {
	if cfg.Kind != AdminClient {
		return nil, &Error{Op: "create admin client", cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	h := new(health)
	cl, err := cfg.newClient(h)
	if err != nil {
		return nil, newError("create admin client", "", err)
	}
	adm := kadm.NewClient(cl)
	adm.SetTimeoutMillis(int32(min(cfg.RequestTimeout, 30*time.Second).Milliseconds()))
	return &Admin{cl: cl, adm: adm, cfg: cfg, health: h}, nil
}

// Close frees the connections.
func (a *Admin) Close() {
	a.health.close()
	a.cl.Close()
}

// Health says whether brokers answer.
func (a *Admin) Health() Health { return a.health.snapshot() }

// WaitReady returns when a broker answers, or with the last failure when ctx
// ends. A failure that waiting does not cure (authentication) returns at once.
func (a *Admin) WaitReady(ctx context.Context) error {
	subject := strings.Join(a.cfg.BootstrapServers, ",")
	var last error
	for attempt := 1; ; attempt++ {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := a.cl.Ping(one)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = newError("connect to", subject, err)
		}
		if ctx.Err() == nil && !IsRetriable(last) {
			return last
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(backoff(a.cfg.RetryBackoff, a.cfg.RetryBackoffMax)(attempt)):
		}
	}
}

// ClusterID is the id that the cluster was formatted with.
func (a *Admin) ClusterID(ctx context.Context) (string, error) {
	m, err := a.adm.BrokerMetadata(ctx)
	if err != nil {
		return "", newError("read the cluster id", "", err)
	}
	return m.Cluster, nil
}

// Topic describes a topic.
type Topic struct {
	Name              string
	Partitions        int
	ReplicationFactor int
	Internal          bool
}

// Topics describes the topics that exist among names; absent ones are missing
// from the result. No names means no topics.
func (a *Admin) Topics(ctx context.Context, names ...string) (map[string]Topic, error) {
	if len(names) == 0 {
		return map[string]Topic{}, nil
	}
	return a.topics(ctx, "describe", names)
}

// ListTopics describes all topics that this client may see, Kafka's internal ones included.
func (a *Admin) ListTopics(ctx context.Context) (map[string]Topic, error) {
	return a.topics(ctx, "list", nil)
}

// topics asks a broker each time: a cached answer would miss a topic that was
// created or deleted a moment ago.
func (a *Admin) topics(ctx context.Context, op string, names []string) (map[string]Topic, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return nil, newError(op+" topics", strings.Join(names, ","), err)
	}
	topics := make(map[string]Topic, len(resp.Topics))
	for i := range resp.Topics {
		d := &resp.Topics[i]
		if d.Topic == nil {
			continue
		}
		err := kerr.ErrorForCode(d.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, newError(op+" topic", *d.Topic, err)
		}
		t := Topic{Name: *d.Topic, Partitions: len(d.Partitions), Internal: d.IsInternal}
		for _, p := range d.Partitions {
			t.ReplicationFactor = max(t.ReplicationFactor, len(p.Replicas))
		}
		topics[t.Name] = t
	}
	return topics, nil
}

// TopicConfigs reads all configs of a topic, defaults included.
func (a *Admin) TopicConfigs(ctx context.Context, name string) (map[string]string, error) {
	described, err := a.adm.DescribeTopicConfigs(ctx, name)
	if err == nil {
		var rc kadm.ResourceConfig
		if rc, err = described.On(name, nil); err == nil {
			err = rc.Err
		}
		if err == nil {
			configs := make(map[string]string, len(rc.Configs))
			for _, c := range rc.Configs {
				configs[c.Key] = c.MaybeValue()
			}
			return configs, nil
		}
	}
	return nil, newError("read the configs of topic", name, err)
}

// NewTopic is a topic to create.
type NewTopic struct {
	Name              string
	Partitions        int32 // -1 = the broker's default
	ReplicationFactor int16 // -1 = the broker's default
	Configs           map[string]string
}

// CreateTopic creates a topic and returns when the controller has accepted it.
// Errors to tell apart: ErrTopicExists, ErrNotAuthorised,
// ErrInvalidReplicationFactor, ErrInvalidPartitions, ErrInvalidTopic,
// ErrInvalidTopicConfig, ErrPolicyViolation.
func (a *Admin) CreateTopic(ctx context.Context, t NewTopic) error {
	configs := make(map[string]*string, len(t.Configs))
	for k, v := range t.Configs {
		configs[k] = &v
	}
	_, err := a.adm.CreateTopic(ctx, t.Partitions, t.ReplicationFactor, configs, t.Name)
	e := newError("create topic", t.Name, err)
	var typed *Error
	if errors.As(e, &typed) && errors.Is(typed, ErrInvalidReplicationFactor) {
		if brokers, err := a.adm.ListBrokers(ctx); err == nil {
			typed.Advice = fmt.Sprintf("replication factor %d was asked for and the cluster has %d broker(s); %s", t.ReplicationFactor, len(brokers), typed.Advice)
		}
	}
	return e
}

// DeleteTopics deletes topics; one that does not exist is no error.
func (a *Admin) DeleteTopics(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	responses, err := a.adm.DeleteTopics(ctx, names...)
	if err != nil {
		return newError("delete topics", strings.Join(names, ","), err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(responses)) {
		if err := responses[name].Err; err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, newError("delete topic", name, err))
		}
	}
	return errors.Join(errs...)
}

// EndOffsets reads the offset after the last record of every partition of the topics.
func (a *Admin) EndOffsets(ctx context.Context, topics ...string) (map[TopicPartition]int64, error) {
	described, err := a.Topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var partitions []TopicPartition
	for _, name := range topics {
		t, ok := described[name]
		if !ok {
			return nil, newError("list end offsets of topic", name, kerr.UnknownTopicOrPartition)
		}
		for p := range t.Partitions {
			partitions = append(partitions, TopicPartition{name, int32(p)})
		}
	}
	return listOffsets(ctx, a.cl, partitions, latestOffset, false)
}

// The protocol's names for the ends of a partition.
const (
	latestOffset   int64 = -1
	earliestOffset int64 = -2
)

// listOffsets asks the leaders for one end of each partition.
func listOffsets(ctx context.Context, cl *kgo.Client, partitions []TopicPartition, which int64, committedOnly bool) (map[TopicPartition]int64, error) {
	offsets := make(map[TopicPartition]int64, len(partitions))
	if len(partitions) == 0 {
		return offsets, nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committedOnly {
		req.IsolationLevel = 1
	}
	for topic, numbers := range byTopic(partitions) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, n := range numbers {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, which
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, newError("list offsets", "", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			tp := TopicPartition{t.Topic, p.Partition}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, newError("list offsets of", tp.String(), err)
			}
			offsets[tp] = p.Offset
		}
	}
	return offsets, nil
}

// GroupOffsets reads all offsets that a group has stored; a group that does not
// exist has none.
func (a *Admin) GroupOffsets(ctx context.Context, group string) (map[TopicPartition]int64, error) {
	return committed(ctx, a.adm, &a.cfg, group, nil)
}

// AlterGroupOffsets sets offsets of a group without active members
// (ErrGroupNotEmpty otherwise).
func (a *Admin) AlterGroupOffsets(ctx context.Context, group string, offsets map[TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	request := kadm.Offsets{}
	for tp, offset := range offsets {
		request.AddOffset(tp.Topic, tp.Partition, offset, -1)
	}
	err := a.coordinated(ctx, func() error { return a.adm.CommitAllOffsets(ctx, group, request) })
	if errors.Is(err, kerr.UnknownMemberID) {
		err = kerr.NonEmptyGroup // what the broker means when it refuses a simple commit
	}
	return newError("alter offsets of group", group, err)
}

// DeleteGroupOffsets forgets single offsets of a group that does not read the
// topics any more; the rest of the group stays.
func (a *Admin) DeleteGroupOffsets(ctx context.Context, group string, partitions []TopicPartition) error {
	if len(partitions) == 0 {
		return nil
	}
	set := kadm.TopicsSet{}
	for _, tp := range partitions {
		set.Add(tp.Topic, tp.Partition)
	}
	err := a.coordinated(ctx, func() error {
		responses, err := a.adm.DeleteOffsets(ctx, group, set)
		if err == nil {
			err = responses.Error()
		}
		return err
	})
	return newError("delete offsets of group", group, err)
}

// DeleteGroup forgets a group without active members; one that does not exist is
// no error.
func (a *Admin) DeleteGroup(ctx context.Context, group string) error {
	err := a.coordinated(ctx, func() error {
		_, err := a.adm.DeleteGroup(ctx, group)
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return newError("delete group", group, err)
}

// coordinated repeats a request to a group's coordinator while the cluster is
// about to appoint one: on a new cluster the first request makes it create the
// topic of the offsets, and the client library reports that as a failure.
func (a *Admin) coordinated(ctx context.Context, request func() error) error {
	return coordinated(ctx, &a.cfg, request)
}

func coordinated(ctx context.Context, cfg *ClientConfig, request func() error) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.RequestTimeout)
	defer cancel()
	pause := backoff(cfg.RetryBackoff, cfg.RetryBackoffMax)
	for attempt := 1; ; attempt++ {
		err := request()
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) && !errors.Is(err, kerr.NotCoordinator) &&
			!errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause(attempt)):
		}
	}
}

// committed reads a group's offsets, all of them when partitions is nil.
func committed(ctx context.Context, adm *kadm.Client, cfg *ClientConfig, group string, partitions []TopicPartition) (map[TopicPartition]int64, error) {
	offsets := map[TopicPartition]int64{}
	var responses kadm.OffsetResponses
	err := coordinated(ctx, cfg, func() (err error) {
		if responses, err = adm.FetchOffsets(ctx, group); err == nil {
			err = responses.Error()
		}
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return offsets, nil
	}
	if err != nil {
		return nil, newError("read offsets of group", group, err)
	}
	responses.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			offsets[TopicPartition{o.Topic, o.Partition}] = o.At
		}
	})
	if partitions == nil {
		return offsets, nil
	}
	wanted := make(map[TopicPartition]int64, len(partitions))
	for _, tp := range partitions {
		if offset, ok := offsets[tp]; ok {
			wanted[tp] = offset
		}
	}
	return wanted, nil
}
