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

// records is how many records the topic holds: nothing here deletes, compacts or writes transactions.
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

// consume reads the first count records and hands each value to use.
func (t *topics) consume(ctx context.Context, name string, count int, use func(value []byte) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.addr),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer client.Close()
	for seen := 0; seen < count; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		var failure error
		fetches.EachRecord(func(r *kgo.Record) {
			if failure == nil {
				failure = use(r.Value)
			}
			seen++
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
	if err := t.consume(ctx, name, l.count, c.line); err != nil {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	// More records than lines would have shown in the end offset; ask again, for those that came late.
	if n, err := t.records(ctx, name); err != nil || n != int64(l.count) {
		return errors.Join(err, fmt.Errorf("topic %s holds %d records, want %d", name, n, l.count))
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
func (t *topics) floorConsume(ctx context.Context, topic string, count int, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 256<<10)
	err = t.consume(ctx, topic, count, func(value []byte) error {
		_, err := out.Write(value)
		return errors.Join(err, out.WriteByte('\n'))
	})
	return errors.Join(err, out.Flush())
}
