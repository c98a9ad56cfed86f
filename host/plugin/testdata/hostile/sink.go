package main

import (
	"errors"
	"io"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// RunSink is one sink task: it accepts and flushes everything.
func (p *plugin) RunSink(stream pluginv1.ConnectorPluginService_RunSinkServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	behaviour := parseScript(first.GetStart().GetConfig()["hostile"])
	send := func(m *pluginv1.RunSinkResponse) error {
		m.Epoch = first.GetEpoch()
		return stream.Send(m)
	}
	if err := behaviour.act("open"); err != nil {
		return err
	}
	if behaviour.is("open", "end") {
		return nil
	}
	if err := send(&pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Started{Started: &pluginv1.TaskStarted{}}}); err != nil {
		return err
	}
	if behaviour.is("read", "hang") {
		select {}
	}
	next := make(map[uint32]int64)
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer *pluginv1.RunSinkResponse
		switch f := request.Frame.(type) {
		case *pluginv1.RunSinkRequest_Assign:
			if err := behaviour.act("assign"); err != nil {
				return err
			}
			answer = &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Assigned{Assigned: &pluginv1.Assigned{Token: f.Assign.GetToken()}}}
		case *pluginv1.RunSinkRequest_Records:
			if err := behaviour.act("put"); err != nil {
				return err
			}
			through := f.Records.GetFirstSeq() - 1
			for _, batch := range f.Records.GetBatches() {
				through += uint64(batch.GetCount())
				next[batch.GetPartition()] = batch.GetFirstOffset() + int64(batch.GetCount())
			}
			answer = put(behaviour["put"], through)
			if behaviour.is("put", "end") {
				return nil
			}
		case *pluginv1.RunSinkRequest_Flush:
			if err := behaviour.act("flush"); err != nil {
				return err
			}
			flushed := &pluginv1.Flushed{Token: f.Flush.GetToken()}
			for id, offset := range next {
				if behaviour.is("flush", "beyond") {
					offset += 1000
				}
				flushed.Offsets = append(flushed.Offsets, &pluginv1.PartitionPosition{Partition: id, Offset: offset})
			}
			if behaviour.is("flush", "strange") {
				flushed.Offsets = []*pluginv1.PartitionPosition{{Partition: 77, Offset: 1}, {Partition: 1, Offset: -5}}
			}
			answer = &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Flushed{Flushed: flushed}}
		case *pluginv1.RunSinkRequest_Drain:
			if err := behaviour.act("drain"); err != nil {
				return err
			}
			if behaviour.is("drain", "end") {
				return nil
			}
			answer = &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Drained{Drained: &pluginv1.Drained{}}}
		}
		if answer != nil {
			if err := send(answer); err != nil {
				return err
			}
		}
	}
}

func put(behaviour string, through uint64) *pluginv1.RunSinkResponse {
	switch behaviour {
	case "failure":
		return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Failure{Failure: &pluginv1.Failure{Error: &pluginv1.Error{Message: "failing as asked"}}}}
	case "accept-beyond":
		through += 1000
	case "seek-unknown":
		return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Seek{Seek: &pluginv1.Seek{RequestId: 1, Offsets: []*pluginv1.PartitionPosition{{Partition: 99}}}}}
	case "seek-negative":
		return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Seek{Seek: &pluginv1.Seek{RequestId: 1, Offsets: []*pluginv1.PartitionPosition{{Partition: 1, Offset: -2}}}}}
	case "errant-beyond":
		return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_RecordErrors{RecordErrors: &pluginv1.RecordErrors{Records: []*pluginv1.RecordError{{Seq: 1 << 50}}}}}
	case "large-frame":
		return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Failure{Failure: &pluginv1.Failure{Error: &pluginv1.Error{Message: string(make([]byte, 20<<20))}}}}
	}
	return &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Accepted{Accepted: &pluginv1.Accepted{ThroughSeq: through}}}
}
