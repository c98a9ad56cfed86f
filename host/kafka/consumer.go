package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Subscription is what a consumer reads: a list of topics or a pattern, not both.
type Subscription struct {
	Topics []string
	// Regex must match the whole topic name. Syntax is Go's RE2, which is Java's
	// without look-around and back-references. New topics are found with the
	// metadata, every metadata.max.age.ms.
	Regex string
}

// Consumer is a member of a consumer group.
//
// One goroutine owns it: Poll, Commit, Committed, Seek, Pause, Resume and Close
// are called from that goroutine (listener methods, which run inside Poll and
// Close, included). Health may be called from anywhere.
//
// Partitions move only while the owner is inside Poll or Close, as in the Java
// client: a rebalance waits until the owner calls Poll again, at most for
// max.poll.interval.ms. Heartbeats go on meanwhile.
type Consumer struct {
	cl     *kgo.Client
	adm    *kadm.Client
	cfg    ClientConfig
	log    *slog.Logger
	health *health
	gate   *rebalanceGate
	paused map[TopicPartition]struct{} // by Pause; owner goroutine only
	closed bool                        // owner goroutine only
	failed error                       // came with records, reported by the next Poll; owner goroutine only
	end    context.CancelFunc          // of everything that the library does
	// stopLooking ends the goroutine that looks for a predecessor, and waits for it.
	stopLooking func()
}

// NewConsumer makes a consumer. It joins the group in the background; listener
// methods come with the first Poll. listener fields may be nil.
func NewConsumer(cfg ClientConfig, sub Subscription, listener RebalanceListener) (*Consumer, error) {
	const op = "create consumer"
	if cfg.Kind != ConsumerClient {
		return nil, &Error{Op: op, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	if cfg.Consumer.GroupID == "" {
		return nil, &Error{Op: op, cause: errors.New("group.id is not set")}
	}
	subscribe, err := sub.options()
	if err != nil {
		return nil, &Error{Op: op, cause: err}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Consumer{
		cfg: cfg, log: log, health: new(health), paused: map[TopicPartition]struct{}{},
		gate: newRebalanceGate(listener, cfg.Consumer.RebalanceTimeout),
	}
	life, end := context.WithCancel(context.Background())
	c.end, c.stopLooking = end, func() {}
	opts := append(subscribe,
		kgo.WithContext(life),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { c.gate.offer(rebalanceAssigned, m) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { c.gate.offer(rebalanceRevoked, m) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { c.gate.offer(rebalanceLost, m) }),
		kgo.AdjustFetchOffsetsFn(func(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return c.gate.adjust(offsets), nil
		}),
	)
	if cfg.Consumer.CreateTopics { // a pattern asks for all topics, and makes none
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	if c.cl, err = cfg.newClient(c.health, opts...); err != nil {
		end()
		return nil, newError(op, "of group "+cfg.Consumer.GroupID, err)
	}
	c.adm = kadm.NewClient(c.cl)
	if cfg.Consumer.SoleClientID && cfg.ClientID != "" && cfg.Consumer.GroupInstanceID == "" {
		c.stopLooking = c.lookForPredecessor()
	}
	return c, nil
}

func (s Subscription) options() ([]kgo.Opt, error) {
	switch {
	case len(s.Topics) > 0 && s.Regex != "":
		return nil, errors.New("both topics and a topic pattern are given")
	case len(s.Topics) > 0:
		return []kgo.Opt{kgo.ConsumeTopics(s.Topics...)}, nil
	case s.Regex != "":
		if err := CheckTopicRegex(s.Regex); err != nil {
			return nil, err
		}
		return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:" + s.Regex + ")$")}, nil
	default:
		return nil, errors.New("neither topics nor a topic pattern is given")
	}
}

// CheckTopicRegex says whether a topic pattern can be subscribed to.
func CheckTopicRegex(pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("topic pattern %q is not supported (look-around and back-references are not): %w", pattern, err)
	}
	return nil
}

// Poll serves pending rebalances and waits for records until ctx ends. It
// returns at most maxRecords records (max.poll.records when that is negative).
// When ctx ends without records, it returns an empty Fetch and no error, so that
// a poll with a deadline is an ordinary turn of the owner's loop. With maxRecords
// 0 it only serves rebalances until ctx ends: the way to stay in the group while
// a batch waits to be delivered again, without losing what is prefetched.
//
// Errors: only what the owner must know. Brokers that are away, leader elections
// and rebalances are handled inside and show in Health. An error with Retriable
// set may be polled through; any other means that this consumer gets no further.
func (c *Consumer) Poll(ctx context.Context, maxRecords int) (*Fetch, error) {
	if c.closed {
		return nil, &Error{Op: "poll", Kind: ErrClosed, cause: ErrClosed}
	}
	if maxRecords < 0 {
		maxRecords = c.cfg.Consumer.MaxPollRecords
	}
	for {
		c.serve()
		if err := c.failed; err != nil {
			c.failed = nil
			return nil, err
		}
		if maxRecords == 0 {
			if !c.gate.wait(ctx) {
				return &Fetch{}, nil
			}
			continue
		}
		fetchCtx, stop := c.gate.interruptible(ctx)
		fetches := c.cl.PollRecords(fetchCtx, maxRecords)
		stop()
		f, err := c.collect(fetches)
		c.failed = err // records first, their error with the next turn
		if f.Len() > 0 {
			return f, nil
		}
		if ctx.Err() != nil && err == nil {
			return f, nil
		}
	}
}

// serve runs the listener for every pending rebalance step, on this goroutine.
func (c *Consumer) serve() {
	for {
		ev := c.gate.take()
		if ev == nil {
			return
		}
		if ev.kind != rebalanceAssigned {
			c.forgetPaused(ev.partitions)
		}
		c.gate.run(ev)
	}
}

// collect turns the library's fetches into runs and its errors into one.
func (c *Consumer) collect(fetches kgo.Fetches) (*Fetch, error) {
	f := &Fetch{}
	var failure error
	for i := range fetches {
		for j := range fetches[i].Topics {
			t := &fetches[i].Topics[j]
			for k := range t.Partitions {
				p := &t.Partitions[k]
				if p.Err != nil && failure == nil {
					failure = c.fetchError(t.Topic, p.Partition, p.Err)
				}
				if len(p.Records) > 0 {
					f.runs = append(f.runs, Run{Topic: t.Topic, Partition: p.Partition, records: p.Records, highWatermark: p.HighWatermark})
					f.records += len(p.Records)
				}
			}
		}
	}
	return f, failure
}

// fetchError decides which of the library's reports concern the owner.
func (c *Consumer) fetchError(topic string, partition int32, err error) error {
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.As(err, &lost):
		c.log.Warn("records were lost on the broker before they were read",
			"topic", topic, "partition", partition, "from", lost.ResetTo, "to", lost.ConsumedTo)
		return nil
	}
	var group *kgo.ErrGroupSession
	if errors.As(err, &group) {
		e := newError("consume as member of group", c.cfg.Consumer.GroupID, group.Err)
		if IsRetriable(e) {
			return nil // the library joins again; Health shows it
		}
		return e
	}
	subject := "topic " + topic
	if partition >= 0 {
		subject = "partition " + TopicPartition{topic, partition}.String()
	}
	e := newError("fetch from", subject, err)
	if IsRetriable(e) {
		return nil
	}
	return e
}

// Commit stores offsets for the group: for each partition the offset of the next
// record to read (I-2: the caller passes only what the task has confirmed). It
// returns when the broker has stored all of them. It fails with ErrNotAssigned,
// and commits nothing, when a partition has been taken from this member.
func (c *Consumer) Commit(ctx context.Context, offsets map[TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	subject := "of group " + c.cfg.Consumer.GroupID
	request := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range offsets {
		if !c.gate.owns(tp) {
			return &Error{
				Op: "commit offsets", Subject: subject, Kind: ErrNotAssigned, Retriable: true,
				cause:  fmt.Errorf("%w: %s", ErrNotAssigned, tp),
				Advice: "its records are read again by the new owner",
			}
		}
		if request[tp.Topic] == nil {
			request[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		request[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	var failure error
	c.cl.CommitOffsetsSync(ctx, request, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if failure = err; failure != nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					failure = err
					return
				}
			}
		}
	})
	return newError("commit offsets", subject, failure)
}

// Committed reads the group's stored offsets; partitions without one are absent.
func (c *Consumer) Committed(ctx context.Context, partitions []TopicPartition) (map[TopicPartition]int64, error) {
	return committed(ctx, c.adm, &c.cfg, c.cfg.Consumer.GroupID, partitions)
}

// Positions says where each partition is going to be read from when nothing has
// been read yet: the stored offset, otherwise where auto.offset.reset points.
// Partitions without any position (auto.offset.reset=none) are absent.
func (c *Consumer) Positions(ctx context.Context, partitions []TopicPartition) (map[TopicPartition]int64, error) {
	positions, err := c.Committed(ctx, partitions)
	if err != nil || len(positions) == len(partitions) || c.cfg.Consumer.AutoOffsetReset == "none" {
		return positions, err
	}
	var missing []TopicPartition
	for _, tp := range partitions {
		if _, ok := positions[tp]; !ok {
			missing = append(missing, tp)
		}
	}
	which := earliestOffset
	if c.cfg.Consumer.AutoOffsetReset == "latest" {
		which = latestOffset
	}
	ends, err := listOffsets(ctx, c.cl, missing, which, c.cfg.Consumer.IsolationLevel == "read_committed")
	if err != nil {
		return nil, err
	}
	maps.Copy(positions, ends)
	return positions, nil
}

// Seek sets the next offset to read of partitions that this member owns; others
// are ignored. It works inside RebalanceListener.Assigned too. Records of these
// partitions that were prefetched are dropped.
func (c *Consumer) Seek(offsets map[TopicPartition]int64) {
	now := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range offsets {
		if !c.gate.owns(tp) || c.gate.seekLater(tp, offset) {
			continue
		}
		if now[tp.Topic] == nil {
			now[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		now[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	if len(now) > 0 {
		c.cl.SetOffsets(now)
	}
}

// Pause stops reading the partitions until Resume. A partition that leaves and
// comes back is not paused any more, as in the Java client.
func (c *Consumer) Pause(partitions []TopicPartition) {
	for _, tp := range partitions {
		c.paused[tp] = struct{}{}
	}
	c.cl.PauseFetchPartitions(byTopic(partitions))
}

// Resume reads the partitions again.
func (c *Consumer) Resume(partitions []TopicPartition) {
	for _, tp := range partitions {
		delete(c.paused, tp)
	}
	c.cl.ResumeFetchPartitions(byTopic(partitions))
}

func (c *Consumer) forgetPaused(partitions []TopicPartition) {
	var resume []TopicPartition
	for _, tp := range partitions {
		if _, ok := c.paused[tp]; ok {
			resume = append(resume, tp)
		}
	}
	if len(resume) > 0 {
		c.Resume(resume)
	}
}

// Assignment lists the partitions that this member owns, in no order.
func (c *Consumer) Assignment() []TopicPartition { return c.gate.assignment() }

// Health says whether brokers answer. Any goroutine may call it.
func (c *Consumer) Health() Health { return c.health.snapshot() }

// Close runs RebalanceListener.Revoked for all owned partitions on the caller's
// goroutine (flush and commit there), leaves the group so that others take over
// at once, and frees the connections. A static member (group.instance.id) does
// not leave. When ctx ends first, the group is told without waiting for an answer to
// what is on its way; Close returns ctx's error.
func (c *Consumer) Close(ctx context.Context) error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.stopLooking()
	id, err := c.leave(ctx)
	c.serve()
	c.health.close()
	c.gate.close() // callbacks that still wait return now
	c.end()        // the library would wait for a join on its way, and with it for members that are dead
	c.cl.Close()
	if id != "" {
		err = errors.Join(err, c.leaveFor(ctx, id))
	}
	return newError("leave group", c.cfg.Consumer.GroupID, err)
}

// leave gives the partitions back and leaves. An id that it returns is that of a membership that is left.
func (c *Consumer) leave(ctx context.Context) (id string, err error) {
	id, generation := c.cl.GroupMetadata()
	if c.cfg.Consumer.GroupInstanceID != "" {
		id = ""
	}
	if generation < 0 {
		return id, nil // it was never let in: there is nothing to give back
	}
	left := make(chan error, 1)
	go func() { left <- c.cl.LeaveGroupContext(ctx) }()
	for {
		c.serve()
		select {
		case err := <-left:
			if ctx.Err() != nil {
				return id, err
			}
			return "", err
		case <-c.gate.signal:
		case <-ctx.Done():
			return id, ctx.Err()
		}
	}
}

// leaveTimeout bounds the last word to a group that has not answered in time.
const leaveTimeout = time.Second

// leaveFor takes a member out of the group with a client of its own, after that of the member is gone.
func (c *Consumer) leaveFor(ctx context.Context, member string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	cfg := c.cfg
	cfg.Kind = AdminClient // without the options of a group
	cl, err := cfg.newClient(new(health))
	if err != nil {
		return err
	}
	defer cl.Close()
	one := kmsg.NewLeaveGroupRequestMember()
	one.MemberID = member
	return putOut(ctx, cl, c.cfg.Consumer.GroupID, []kmsg.LeaveGroupRequestMember{one})
}

// closeGrace is kept back from max.poll.interval.ms so that a listener's deadline
// ends before the broker puts the member out of the group.
const closeGrace = time.Second

func byTopic(partitions []TopicPartition) map[string][]int32 {
	m := make(map[string][]int32, 1)
	for _, tp := range partitions {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}
