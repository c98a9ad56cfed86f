package main

import (
	"errors"
	"io"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// RunConnector is a connector that has one task for each that it may have.
func (p *plugin) RunConnector(stream pluginv1.ConnectorPluginService_RunConnectorServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	behaviour := parseScript(first.GetStart().GetConfig()["hostile"])
	send := func(m *pluginv1.RunConnectorResponse) error {
		m.Epoch = first.GetEpoch()
		return stream.Send(m)
	}
	if err := behaviour.act("open"); err != nil {
		return err
	}
	started := &pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_Started{Started: &pluginv1.ConnectorStarted{}}}
	switch behaviour["open"] {
	case "end":
		return nil
	case "failure":
		return send(&pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_Failure{Failure: &pluginv1.Failure{Error: &pluginv1.Error{Message: "failing as asked"}}}})
	case "wrong-epoch":
		return stream.Send(started)
	}
	if first.GetStart() != nil {
		if err := send(started); err != nil {
			return err
		}
	}
	switch behaviour["run"] {
	case "twice":
		_ = send(started)
	case "stopped":
		_ = send(&pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_Stopped{Stopped: &pluginv1.ConnectorStopped{}}})
	case "reconfigure-flood":
		for range 2000 {
			_ = send(&pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_RequestReconfiguration{RequestReconfiguration: &pluginv1.RequestReconfiguration{}}})
		}
	case "offsets-flood":
		for id := range 1000 {
			_ = send(&pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_ReadOffsets{ReadOffsets: &pluginv1.ReadOffsets{RequestId: uint64(id)}}})
		}
	}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch f := request.Frame.(type) {
		case *pluginv1.RunConnectorRequest_TaskConfigs:
			if err := behaviour.act("configs"); err != nil {
				return err
			}
			if behaviour.is("configs", "end") {
				return nil
			}
			if err := send(taskConfigs(behaviour["configs"], f.TaskConfigs)); err != nil {
				return err
			}
		case *pluginv1.RunConnectorRequest_Stop:
			if err := behaviour.act("stop"); err != nil {
				return err
			}
			if behaviour.is("stop", "end") {
				return nil
			}
			if err := send(&pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_Stopped{Stopped: &pluginv1.ConnectorStopped{}}}); err != nil {
				return err
			}
		}
	}
}

func taskConfigs(behaviour string, question *pluginv1.TaskConfigs) *pluginv1.RunConnectorResponse {
	result := &pluginv1.TaskConfigsResult{RequestId: question.GetRequestId()}
	count := int(question.GetMaxTasks())
	switch behaviour {
	case "many":
		count += 5
	case "wrong-id":
		result.RequestId += 1000
	case "error":
		result.Error = &pluginv1.Error{Message: "failing as asked"}
	case "other-frame":
		return &pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_DeletedResult{DeletedResult: &pluginv1.DeletedResult{RequestId: question.GetRequestId()}}}
	}
	for range count {
		result.Configs = append(result.Configs, &pluginv1.TaskConfig{Config: map[string]string{"a": "b"}})
	}
	return &pluginv1.RunConnectorResponse{Frame: &pluginv1.RunConnectorResponse_TaskConfigsResult{TaskConfigsResult: result}}
}
