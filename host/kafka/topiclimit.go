package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LearnTopicLimit asks the broker for max.message.bytes of a topic, so that no batch
// is made that the topic refuses: the broker refuses a batch as a whole, its good
// records too, and the client library does not divide it. It must come before the
// first record for the topic. With compression the size on the broker is not known
// beforehand, and nothing is asked.
func (p *Producer) LearnTopicLimit(ctx context.Context, topic string) error {
	if !slices.Equal(compression(p.cfg.Producer.CompressionType), []kgo.CompressionCodec{kgo.NoCompression()}) {
		return nil
	}
	if p.shared != nil {
		return p.shared.learn(ctx, p, topic)
	}
	return p.askTopicLimit(ctx, topic)
}

// askTopicLimit asks until a new topic is there.
func (p *Producer) askTopicLimit(ctx context.Context, topic string) error {
	err := p.learnTopicLimit(ctx, topic)
	for wait := firstTopicWait; errors.Is(err, ErrUnknownTopic) && wait <= lastTopicWait; wait *= 2 {
		if err := p.askForTopic(ctx, topic); err != nil {
			return err
		}
		select { // a broker may not have heard of a new topic yet
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		err = p.learnTopicLimit(ctx, topic)
	}
	return err
}

// A topic that is not there is asked for again after waits that double, 0.6 s in all.
const (
	firstTopicWait = 10 * time.Millisecond
	lastTopicWait  = 320 * time.Millisecond
)

// askForTopic lets a broker that creates topics by itself do so before the first record,
// as the metadata request of the first record would.
func (p *Producer) askForTopic(ctx context.Context, topic string) error {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics, req.AllowAutoTopicCreation = []kmsg.MetadataRequestTopic{t}, true
	if _, err := req.RequestWith(ctx, p.cl); err != nil {
		return newError("ask for topic", topic, err)
	}
	return nil
}

func (p *Producer) learnTopicLimit(ctx context.Context, topic string) error {
	const op = "read max.message.bytes of topic"
	described, err := kadm.NewClient(p.cl).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return newError(op, topic, err)
	}
	rc, err := described.On(topic, nil)
	if err == nil {
		err = rc.Err
	}
	if err != nil {
		return newError(op, topic, err)
	}
	for _, c := range rc.Configs {
		if n, err := strconv.Atoi(c.MaybeValue()); c.Key == "max.message.bytes" && err == nil {
			p.topicLimits.Store(topic, max(n, minBatchBytes))
		}
	}
	return nil
}

// minBatchBytes is the least limit that the client library takes.
const minBatchBytes = 512

// limitAge is how long a limit that one producer has found serves others. It covers the start of many tasks, and is short
// beside the time in which somebody raises a limit and restarts a task.
const limitAge = 5 * time.Second

// TopicLimits lets producers of one process tell each other what they have found, so that thousands of tasks that start
// together do not ask a broker one by one, on connections of their own. The zero value is ready for use.
type TopicLimits struct {
	mu    sync.Mutex
	found map[string]*foundLimit // by brokers and topic
}

// maxFoundLimits bounds what is kept for others.
const maxFoundLimits = 10_000

// foundLimit is one answer. asking holds one while a producer asks.
type foundLimit struct {
	asking chan struct{}

	mu    sync.Mutex
	at    time.Time
	bytes int
}

// ShareTopicLimits lets the producer use what others have found, and the other way round. It comes before the first batch.
func (p *Producer) ShareTopicLimits(l *TopicLimits) { p.shared = l }

// learn takes a fresh answer of another producer, or asks. A producer that may not ask says so itself.
func (l *TopicLimits) learn(ctx context.Context, p *Producer, topic string) error {
	one := l.entry(strings.Join(p.cfg.BootstrapServers, ",") + " " + topic)
	if one.take(p, topic) {
		return nil
	}
	select {
	case one.asking <- struct{}{}:
		defer func() { <-one.asking }()
	case <-ctx.Done():
		return newError("read max.message.bytes of topic", topic, ctx.Err())
	}
	if one.take(p, topic) { // while this one waited
		return nil
	}
	if err := p.askTopicLimit(ctx, topic); err != nil {
		return err
	}
	if n, ok := p.topicLimits.Load(topic); ok {
		one.mu.Lock()
		one.at, one.bytes = time.Now(), n.(int)
		one.mu.Unlock()
	}
	return nil
}

func (l *TopicLimits) entry(key string) *foundLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found == nil {
		l.found = map[string]*foundLimit{}
	}
	one := l.found[key]
	if one == nil {
		if len(l.found) >= maxFoundLimits {
			clear(l.found) // who asks now has its entry; others ask again
		}
		one = &foundLimit{asking: make(chan struct{}, 1)}
		l.found[key] = one
	}
	return one
}

func (f *foundLimit) take(p *Producer, topic string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.IsZero() || time.Since(f.at) > limitAge {
		return false
	}
	p.topicLimits.Store(topic, f.bytes)
	return true
}
