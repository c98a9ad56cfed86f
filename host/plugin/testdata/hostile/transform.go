package main

import (
	"errors"
	"io"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// RunTransform drops every record, or does what the script says under open and apply.
func (p *plugin) RunTransform(stream pluginv1.ConnectorPluginService_RunTransformServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	behaviour := parseScript(first.GetStart().GetConfig()["hostile"])
	send := func(m *pluginv1.RunTransformResponse) error {
		m.Epoch = first.GetEpoch()
		return stream.Send(m)
	}
	if err := behaviour.act("open"); err != nil {
		return err
	}
	switch {
	case behaviour.is("open", "end"):
		return nil
	case behaviour.is("open", "failure"):
		return send(&pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Failure{Failure: &pluginv1.Failure{Error: &pluginv1.Error{Message: "no such option"}}}})
	}
	if err := send(&pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Started{Started: &pluginv1.TransformStarted{}}}); err != nil {
		return err
	}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		batch := request.GetApply().GetBatch()
		if batch == nil {
			continue
		}
		if err := behaviour.act("apply"); err != nil {
			return err
		}
		a := &pluginv1.Applied{FirstSeq: batch.GetFirstSeq(), Count: batch.GetCount(), Outcome: []pluginv1.Outcome{pluginv1.Outcome_OUTCOME_DROPPED}}
		replaced := []pluginv1.Outcome{pluginv1.Outcome_OUTCOME_REPLACED}
		one := &pluginv1.SourceBatch{FirstSeq: 1, Count: 1, Topics: []string{"t"}, Block: []byte{2, 'x'}, ValueLength: []uint32{2}}
		switch behaviour["apply"] {
		case "end":
			return nil
		case "other-records":
			a.FirstSeq += 7
		case "none":
			a.Count = 0
		case "too-many":
			a.Count += 7
		case "outcomes":
			a.Outcome = make([]pluginv1.Outcome, a.Count+1)
		case "unknown-outcome":
			a.Outcome = []pluginv1.Outcome{77}
		case "no-errors":
			a.Outcome = []pluginv1.Outcome{pluginv1.Outcome_OUTCOME_FAILED}
		case "no-records":
			a.Outcome = replaced
		case "few-records":
			a.Outcome, a.Replaced = replaced, one
		case "bad-schema":
			one.ValueSchema = []uint32{9}
			a.Count, a.Outcome, a.Replaced = 1, replaced, one
		case "bad-lengths":
			one.ValueLength = []uint32{77}
			a.Count, a.Outcome, a.Replaced = 1, replaced, one
		case "large": // endless answers of one large record each
			one.Block, one.ValueLength = make([]byte, 3<<20), []uint32{3 << 20}
			for i := range batch.GetCount() {
				part := &pluginv1.Applied{FirstSeq: batch.GetFirstSeq() + uint64(i), Count: 1, Outcome: replaced, Replaced: one}
				if err := send(&pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Applied{Applied: part}}); err != nil {
					return err
				}
			}
		}
		if err := send(&pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Applied{Applied: a}}); err != nil {
			return err
		}
	}
}
