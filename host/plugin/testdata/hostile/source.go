package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

const (
	recordsPerBatch = 500
	recordBytes     = 100
)

// source is one source task: it sends as fast as credit allows.
type source struct {
	stream pluginv1.ConnectorPluginService_RunSourceServer
	script script
	epoch  uint64

	mu     sync.Mutex
	wake   *sync.Cond
	credit int64
	drain  bool
	seq    uint64
}

func (p *plugin) RunSource(stream pluginv1.ConnectorPluginService_RunSourceServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	s := &source{stream: stream, epoch: first.GetEpoch(), script: parseScript(start.GetConfig()["hostile"]), credit: int64(start.GetCreditBytes()), seq: 1}
	s.wake = sync.NewCond(&s.mu)
	if err := s.script.act("open"); err != nil {
		return err
	}
	if s.script.is("open", "failure") {
		return s.send(&pluginv1.RunSourceResponse{Frame: failure()})
	}
	if s.script.is("open", "end") {
		return nil
	}
	if err := s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Started{Started: &pluginv1.TaskStarted{}}}); err != nil {
		return err
	}
	if s.script.is("read", "hang") {
		select {} // never takes another frame
	}
	polled := make(chan error, 1)
	go func() { polled <- s.poll() }()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch f := request.Frame.(type) {
		case *pluginv1.RunSourceRequest_Credit:
			s.mu.Lock()
			s.credit += int64(f.Credit.GetBytes())
			s.wake.Broadcast()
			s.mu.Unlock()
		case *pluginv1.RunSourceRequest_Drain:
			if err := s.script.act("drain"); err != nil {
				return err
			}
			s.mu.Lock()
			s.drain = true
			s.wake.Broadcast()
			s.mu.Unlock()
			if err := <-polled; err != nil {
				return err
			}
			last := s.seq - 1
			if s.script.is("drain", "wrong") {
				last += 17
			}
			if s.script.is("drain", "end") {
				return nil
			}
			if err := s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Drained{Drained: &pluginv1.Drained{LastSeq: last}}}); err != nil {
				return err
			}
		}
		select {
		case err := <-polled:
			if err != nil {
				return err
			}
			polled <- nil
		default:
		}
	}
}

func failure() *pluginv1.RunSourceResponse_Failure {
	return &pluginv1.RunSourceResponse_Failure{Failure: &pluginv1.Failure{Error: &pluginv1.Error{Code: "ASKED", Message: "failing as asked", Retriable: true}}}
}

func (s *source) send(m *pluginv1.RunSourceResponse) error {
	m.Epoch = s.epoch
	return s.stream.Send(m)
}

func (s *source) poll() error {
	block := bytes.Repeat([]byte{'r'}, recordsPerBatch*recordBytes)
	cost := int64(len(block) + recordsPerBatch*64)
	for batch := 0; ; batch++ {
		s.mu.Lock()
		for s.credit <= 0 && !s.drain {
			s.wake.Wait()
		}
		if s.drain {
			s.mu.Unlock()
			return nil
		}
		s.credit -= cost
		s.mu.Unlock()
		m := &pluginv1.SourceBatch{FirstSeq: s.seq, Count: recordsPerBatch, Block: block, Topics: []string{"topic"}, ValueLength: []uint32{recordBytes}}
		if batch == 3 {
			done, err := s.misbehave(m)
			if done || err != nil {
				return err
			}
		}
		if err := s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Batch{Batch: m}}); err != nil {
			return err
		}
		s.seq = m.FirstSeq + uint64(m.Count)
		if pace := s.script["pace"]; pace != "" {
			time.Sleep(time.Millisecond)
		}
	}
}

// misbehave does the behaviour of "poll", with or around the batch m. done ends polling.
func (s *source) misbehave(m *pluginv1.SourceBatch) (done bool, err error) {
	if err := s.script.act("poll"); err != nil {
		return true, err
	}
	switch s.script["poll"] {
	case "failure":
		return true, s.send(&pluginv1.RunSourceResponse{Frame: failure()})
	case "end":
		return true, io.EOF
	case "stale-batch":
		return false, s.stream.Send(&pluginv1.RunSourceResponse{Epoch: s.epoch - 1, Frame: &pluginv1.RunSourceResponse_Batch{Batch: m}})
	case "wrong-epoch":
		s.epoch += 5
	case "back":
		m.FirstSeq = 1
	case "gap":
		m.FirstSeq += 10
	case "zero-seq":
		m.FirstSeq = 0
	case "no-records":
		m.Count = 0
	case "many-records":
		m.Count = 1 << 31
	case "lengths":
		m.ValueLength = []uint32{recordBytes + 1}
	case "long-length":
		m.ValueLength = []uint32{1<<32 - 1}
	case "no-topic":
		m.Topics = nil
	case "topic-index":
		m.Topic = []uint32{9}
	case "schema-undefined":
		m.ValueSchema = []uint32{42}
	case "partition-undefined":
		m.SourcePartition = []uint32{42}
	case "column":
		m.KeyLength = []uint32{1, 2, 3}
	case "headers":
		m.HeaderLength, m.ValueLength = []uint32{recordBytes}, nil
	case "large-block":
		m.Block = make([]byte, 5<<20)
		m.Count, m.ValueLength = 1, []uint32{5 << 20}
	case "large-frame":
		m.Block = make([]byte, 20<<20)
		m.Count, m.ValueLength = 1, []uint32{20 << 20}
	case "no-credit":
		s.mu.Lock()
		s.credit = 1 << 40
		s.mu.Unlock()
	case "schema-id":
		return false, s.schema(7, &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_STRING})
	case "schema-type":
		return false, s.schema(1, &pluginv1.Schema{Type: 99})
	case "schema-deep":
		deep := &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_STRING}
		for range 500 {
			deep = &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_ARRAY, ValueSchema: deep}
		}
		return false, s.schema(1, deep)
	case "schema-flood":
		doc := string(bytes.Repeat([]byte{'d'}, 500_000))
		for id := uint32(1); ; id++ {
			if err := s.schema(id, &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_STRING, Doc: &doc}); err != nil {
				return true, err
			}
		}
	case "partition-id":
		return false, s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Partition{Partition: &pluginv1.PartitionDef{Id: 3}}})
	case "partition-large":
		return false, s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Partition{Partition: &pluginv1.PartitionDef{Id: 1, Partition: make([]byte, 70<<10)}}})
	case "transaction":
		return false, s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Transaction{Transaction: &pluginv1.Transaction{Action: 1, Seq: 1 << 60}}})
	case "frame-flood":
		for {
			if err := s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Heartbeat{Heartbeat: &pluginv1.Heartbeat{Call: "poll"}}}); err != nil {
				return true, err
			}
		}
	case "unknown-frame":
		m := &pluginv1.RunSourceResponse{}
		m.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "from the future"))
		return false, s.send(m)
	case "log-flood":
		lines := make([]*pluginv1.LogLine, 1000)
		for i := range lines {
			lines[i] = &pluginv1.LogLine{Level: pluginv1.LogLevel_LOG_LEVEL_INFO, Message: "log flood"}
		}
		for range 100 {
			if err := s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Logs{Logs: &pluginv1.Logs{Lines: lines}}}); err != nil {
				return true, err
			}
		}
	case "silence":
		_ = os.Stdout.Sync()
		select {}
	}
	return false, nil
}

func (s *source) schema(id uint32, schema *pluginv1.Schema) error {
	return s.send(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Schema{Schema: &pluginv1.SchemaDef{Id: id, Schema: schema}}})
}
