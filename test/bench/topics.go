package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// topics makes, measures and reads topics of one partition on the bench's broker.
type topics struct {
	addr   string
	client *kgo.Client
	admin  *kadm.Client
	made   int
}

func newTopics(addr string) (*topics, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return nil, err
	}
	return &topics{addr: addr, client: client, admin: kadm.NewClient(client)}, nil
}

func (t *topics) create(ctx context.Context) (string, error) {
	t.made++
	name := fmt.Sprintf("bench-%d", t.made)
	_, err := t.admin.CreateTopic(ctx, 1, 1, nil, name)
	return name, err
}

func (t *topics) remove(ctx context.Context, name string) error {
	_, err := t.admin.DeleteTopic(ctx, name)
	return err
}

// records is how many records the topic holds, when nobody wrote them in transactions: nothing here deletes or compacts.
func (t *topics) records(ctx context.Context, name string) (int64, error) {
	ends, err := t.admin.ListEndOffsets(ctx, name)
	if err != nil {
		return 0, err
	}
	end, ok := ends.Lookup(name, 0)
	if !ok {
		return 0, fmt.Errorf("topic %s has no partition 0", name)
	}
	return end.Offset, end.Err
}

// diskBytes is what the topic takes on the broker's disk: it shows that both sides wrote alike (no compression).
func (t *topics) diskBytes(ctx context.Context, name string) (int64, error) {
	set := kadm.TopicsSet{}
	set.Add(name, 0)
	dirs, err := t.admin.DescribeAllLogDirs(ctx, set)
	if err != nil {
		return 0, err
	}
	var sum int64
	dirs.Each(func(dir kadm.DescribedLogDir) {
		dir.Topics.Each(func(p kadm.DescribedLogDirPartition) { sum += p.Size })
	})
	return sum, nil
}

// follow makes a consumer of what is committed in the topic, from its beginning. Ends of transactions come as control records.
func (t *topics) follow(name string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(t.addr), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}))
}

// committed counts the committed records of a topic each time it is called; end ends it.
func (t *topics) committed(ctx context.Context, name string) (count func() (int64, error), end func(), err error) {
	client, err := t.follow(name)
	if err != nil {
		return nil, nil, err
	}
	seen := int64(0)
	return func() (int64, error) {
		poll, cancel := context.WithTimeout(ctx, arrivalPoll)
		defer cancel()
		fetches := client.PollFetches(poll)
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				seen++
			}
		})
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return seen, err
		}
		return seen, nil
	}, client.Close, nil
}

// consume reads the topic to its end and hands each committed value to use.
func (t *topics) consume(ctx context.Context, name string, use func(value []byte) error) error {
	end, err := t.records(ctx, name)
	if err != nil {
		return err
	}
	client, err := t.follow(name)
	if err != nil {
		return err
	}
	defer client.Close()
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		var failure error
		fetches.EachRecord(func(r *kgo.Record) {
			if next = r.Offset + 1; failure == nil && !r.Attrs.IsControl() {
				failure = use(r.Value)
			}
		})
		if failure != nil {
			return failure
		}
	}
	return nil
}

// check compares the topic's records with the lines.
func (t *topics) check(ctx context.Context, name string, l lines) error {
	c := newCheck(l)
	if err := t.consume(ctx, name, c.line); err != nil {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	return c.end()
}

// floorProduce is the least a file-to-topic connector can do with this client: read lines, produce them.
func (t *topics) floorProduce(ctx context.Context, path, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.addr), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()

	failed := make(chan error, 1)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	var rest []byte
	for {
		block := make([]byte, 256<<10) // kept by its records until they are acknowledged
		kept := copy(block, rest)
		n, err := file.Read(block[kept:])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		block = block[:kept+n]
		for {
			end := bytes.IndexByte(block, '\n')
			if end < 0 {
				break
			}
			client.Produce(ctx, &kgo.Record{Value: block[:end:end]}, promise)
			block = block[end+1:]
		}
		rest = block
	}
	err = client.Flush(ctx)
	select {
	case failure := <-failed:
		return errors.Join(err, failure)
	default:
		return err
	}
}

// floorConsume is the least a topic-to-file connector can do with this client: consume, write lines.
func (t *topics) floorConsume(ctx context.Context, topic, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 256<<10)
	err = t.consume(ctx, topic, func(value []byte) error {
		_, err := out.Write(value)
		return errors.Join(err, out.WriteByte('\n'))
	})
	return errors.Join(err, out.Flush())
}
