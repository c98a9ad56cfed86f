package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// This file is the codec of the status topic's records (reference section 3.4).

const (
	connectorStatusPrefix = "status-connector-"
	taskStatusPrefix      = "status-task-"
	topicStatusPrefix     = "status-topic-"
	topicStatusInfix      = ":connector-"
)

// ConnectorStatusRecord writes a connector's status; StateDestroyed makes a tombstone.
func ConnectorStatusRecord(connector string, s Status) Record {
	return Record{[]byte(connectorStatusPrefix + connector), encodeStatus(s)}
}

// TaskStatusRecord writes a task's status; StateDestroyed makes a tombstone.
func TaskStatusRecord(id TaskID, s Status) Record {
	return Record{[]byte(taskStatusPrefix + id.Connector + "-" + strconv.Itoa(id.Task)), encodeStatus(s)}
}

// TopicStatus notes that a task of a connector has used a topic (KIP-558).
type TopicStatus struct {
	Topic            string
	Connector        string
	Task             int
	DiscoveredMillis int64 // since 1970 UTC
}

// TopicStatusRecord writes it.
func TopicStatusRecord(t TopicStatus) Record {
	value := appendJavaString([]byte(`{"topic":{"name":`), t.Topic)
	value = appendJavaString(append(value, `,"connector":`...), t.Connector)
	value = strconv.AppendInt(append(value, `,"task":`...), int64(t.Task), 10)
	value = strconv.AppendInt(append(value, `,"discoverTimestamp":`...), t.DiscoveredMillis, 10)
	return Record{[]byte(topicStatusPrefix + t.Topic + topicStatusInfix + t.Connector), append(value, "}}"...)}
}

// TopicStatusTombstone forgets it.
func TopicStatusTombstone(connector, topic string) Record {
	return Record{Key: []byte(topicStatusPrefix + topic + topicStatusInfix + connector)}
}

func encodeStatus(s Status) []byte {
	if s.State == StateDestroyed {
		return nil
	}
	b := appendJavaString([]byte(`{"state":`), string(s.State))
	b = appendNullable(append(b, `,"trace":`...), s.Trace)
	b = appendJavaString(append(b, `,"worker_id":`...), s.WorkerID)
	b = strconv.AppendInt(append(b, `,"generation":`...), int64(s.Generation), 10)
	b = appendNullable(append(b, `,"version":`...), s.Version)
	return append(b, '}')
}

func appendNullable(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendJavaString(dst, s)
}

// statusEvent is one record of the status topic, understood. Exactly one of
// connector, task and topic is set.
type statusEvent struct {
	connector string
	task      *TaskID
	topic     *TopicStatus
	status    Status // StateDestroyed for a tombstone
	deleted   bool
}

func parseStatusRecord(r Record) (statusEvent, error) {
	key := string(r.Key)
	if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok {
		s, err := decodeStatus(r.Value)
		return statusEvent{connector: name, status: s, deleted: r.Value == nil}, err
	}
	if rest, ok := strings.CutPrefix(key, taskStatusPrefix); ok {
		id, ok := splitTask(rest)
		if !ok {
			return statusEvent{}, errors.New("the key does not end with a task number")
		}
		s, err := decodeStatus(r.Value)
		return statusEvent{task: &id, status: s, deleted: r.Value == nil}, err
	}
	if rest, ok := strings.CutPrefix(key, topicStatusPrefix); ok {
		topic, connector, ok := strings.Cut(rest, topicStatusInfix)
		if !ok {
			return statusEvent{}, errors.New("the key names no connector")
		}
		return decodeTopicStatus(TopicStatus{Topic: topic, Connector: connector}, r.Value)
	}
	return statusEvent{}, errForeignRecord
}

func decodeStatus(value []byte) (Status, error) {
	if value == nil {
		return Status{State: StateDestroyed}, nil
	}
	var v struct {
		State      *State  `json:"state"`
		Trace      *string `json:"trace"`
		WorkerID   *string `json:"worker_id"`
		Generation *int    `json:"generation"`
		Version    *string `json:"version"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return Status{}, fmt.Errorf("not a status: %w", err)
	}
	if v.State == nil || v.WorkerID == nil || v.Generation == nil {
		return Status{}, errors.New("state, worker_id or generation is missing")
	}
	s := Status{State: *v.State, WorkerID: *v.WorkerID, Generation: *v.Generation}
	if v.Trace != nil {
		s.Trace = *v.Trace
	}
	if v.Version != nil {
		s.Version = *v.Version
	}
	return s, nil
}

func decodeTopicStatus(t TopicStatus, value []byte) (statusEvent, error) {
	if value == nil {
		return statusEvent{topic: &t, deleted: true}, nil
	}
	var v struct {
		Topic *struct {
			Name      string `json:"name"`
			Connector string `json:"connector"`
			Task      int    `json:"task"`
			Found     int64  `json:"discoverTimestamp"`
		} `json:"topic"`
	}
	if err := json.Unmarshal(value, &v); err != nil || v.Topic == nil {
		return statusEvent{}, errors.Join(errors.New("not a topic's status"), err)
	}
	t.Task, t.DiscoveredMillis = v.Topic.Task, v.Topic.Found
	return statusEvent{topic: &t}, nil
}
