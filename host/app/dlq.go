package app

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/deadletter"
	"github.com/tailrace/tailrace/host/kafka"
)

// deadLetters carries out `tailrace dlq`.
type deadLetters struct{}

var _ cli.DeadLetters = deadLetters{}

// Read hands over the letters that the arguments choose.
func (deadLetters) Read(ctx context.Context, at cli.DeadLetterTopic, choice cli.LetterChoice, each func(cli.Letter) error) error {
	clients, err := clientsOf(at)
	if err != nil {
		return err
	}
	filter, err := filterOf(choice)
	if err != nil {
		return err
	}
	return deadletter.Read(ctx, clients.reader, at.Topic, filter, func(l deadletter.Letter) error { return each(letterOf(&l)) })
}

// Replay writes them to their topics.
func (deadLetters) Replay(ctx context.Context, at cli.DeadLetterTopic, choice cli.LetterChoice, o cli.Replay) (cli.ReplaySummary, error) {
	clients, err := clientsOf(at)
	if err != nil {
		return cli.ReplaySummary{}, err
	}
	options := deadletter.Options{
		Topic: at.Topic, To: o.To, Again: o.Again, DryRun: o.DryRun, RecordsPerSecond: o.RecordsPerSecond,
		Reader: clients.reader, Writer: clients.writer, Admin: clients.admin,
	}
	if options.Filter, err = filterOf(choice); err != nil {
		return cli.ReplaySummary{}, err
	}
	if o.ConfigFile != "" {
		if options.Remake, err = remaker(o.ConfigFile, at); err != nil {
			return cli.ReplaySummary{}, err
		}
	}
	if o.Told != nil {
		options.Told = func(p deadletter.Progress) {
			o.Told(cli.ReplayProgress{Done: p.Done, Total: p.Total, PerSecond: p.PerSecond(), Left: p.Left()})
		}
	}
	sum, err := deadletter.Replay(ctx, options)
	return cli.ReplaySummary{Chosen: sum.Chosen, Before: sum.Before, Replayed: sum.Replayed}, err
}

type dlqClients struct{ reader, writer, admin kafka.ClientConfig }

func clientsOf(at cli.DeadLetterTopic) (c dlqClients, err error) {
	props, err := clientProps(at)
	if err != nil {
		return c, err
	}
	reader := maps.Clone(props)
	reader["isolation.level"] = "read_committed"
	if c.reader, _, err = kafka.ParseClientConfig(kafka.ConsumerClient, reader); err != nil {
		return c, err
	}
	writer := maps.Clone(props)
	writer["acks"] = "all"
	writer["max.request.size"] = strconv.Itoa(config.SourceDeadLetterBytes)
	writer["buffer.memory"] = strconv.Itoa(4 * config.SourceDeadLetterBytes)
	if c.writer, _, err = kafka.ParseClientConfig(kafka.ProducerClient, writer); err != nil {
		return c, err
	}
	c.admin, _, err = kafka.ParseClientConfig(kafka.AdminClient, props)
	return c, err
}

// clientProps are the settings of clients in the files that were named: all of a
// client's file, and of a worker's file those that say how to reach Kafka.
func clientProps(at cli.DeadLetterTopic) (map[string]string, error) {
	props := map[string]string{}
	if at.WorkerFile != "" {
		all, err := config.ReadProperties(at.WorkerFile)
		if err != nil {
			return nil, err
		}
		for k, v := range all {
			if k == "bootstrap.servers" || strings.HasPrefix(k, "security.") || strings.HasPrefix(k, "sasl.") || strings.HasPrefix(k, "ssl.") {
				props[k] = v
			}
		}
	}
	if at.ClientFile != "" {
		all, err := config.ReadProperties(at.ClientFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(props, all)
	}
	if at.Bootstrap != "" {
		props["bootstrap.servers"] = at.Bootstrap
	}
	props["client.id"] = "tailrace-dlq"
	return props, nil
}

func filterOf(choice cli.LetterChoice) (f deadletter.Filter, err error) {
	f = deadletter.Filter{
		Connector: choice.Connector, Stage: choice.Stage, Topic: choice.Origin, Error: choice.Error,
		Headers: choice.Headers, Since: choice.Since, Until: choice.Until,
	}
	if choice.Where != "" {
		f.Where, err = deadletter.Compile(choice.Where)
	}
	return f, err
}

// remaker reads the configuration of the connector whose letters are replayed.
func remaker(file string, at cli.DeadLetterTopic) (func(*deadletter.Letter) (kafka.OutRecord, error), error) {
	const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"
	props := map[string]string{"key.converter": jsonConverter, "value.converter": jsonConverter, "offset.storage.file.filename": "unused"}
	if at.WorkerFile != "" {
		all, err := config.ReadProperties(at.WorkerFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(props, all)
	}
	worker, _, err := config.ParseWorker(config.Standalone, props)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.WorkerFile, err)
	}
	k, err := config.ReadConnectorFile(file)
	if err != nil {
		return nil, err
	}
	connector, err := config.ParseConnector(config.Source, k.Config, worker)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r, err := deadletter.NewRemaker(connector)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r.Remake, nil
}

func letterOf(l *deadletter.Letter) cli.Letter {
	out := cli.Letter{
		Partition: l.Partition, Offset: l.Offset, Time: l.Time, Topic: l.Topic, OriginPartition: l.OriginPartition, OriginOffset: l.OriginOffset,
		Connector: l.Connector, Task: l.Task, Stage: l.Stage, Class: l.Class, Transform: l.Transform,
		Error: l.Error, Message: l.Message, Trace: l.Trace, Form: l.Form, SourcePartition: l.SourcePartition, SourceOffset: l.SourceOffset, Cut: l.Cut, CutReason: l.CutReason,
		Key: l.Key, Value: l.Value, Replayed: l.Replayed,
	}
	for i := range l.Headers.Len() {
		name, value := l.Headers.At(i)
		out.Headers = append(out.Headers, cli.LetterHeader{Name: name, Value: value})
	}
	return out
}
