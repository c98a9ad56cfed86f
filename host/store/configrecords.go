package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/config/javamap"
)

// This file is the codec of the config topic's records (reference section 3.2):
// pure functions between bytes and values, no topic, no state.

// Record is a key and a value as they stand in a topic. A nil value is a tombstone.
type Record struct {
	Key   []byte
	Value []byte
}

// Property is one entry of a configuration whose order matters to who reads the topic.
type Property struct {
	Key   string
	Value string
}

// SessionKey signs requests between workers (KIP-507).
type SessionKey struct {
	Key       []byte
	Algorithm string // as Java names it: HmacSHA256
	// CreatedMillis is the time of its making, since 1970 UTC.
	CreatedMillis int64
}

// RestartRequest asks the owners of a connector and of its tasks to restart them.
type RestartRequest struct {
	Connector    string
	IncludeTasks bool
	OnlyFailed   bool
}

// LoggerLevel asks every worker to change a logger's level (KIP-976).
type LoggerLevel struct {
	Namespace string
	Level     string
}

// The prefixes of keys. The order of the list matters nowhere: no prefix begins
// with another one.
const (
	connectorPrefix   = "connector-"
	taskPrefix        = "task-"
	commitPrefix      = "commit-"
	targetStatePrefix = "target-state-"
	fencingPrefix     = "tasks-fencing-"
	restartPrefix     = "restart-connector-"
	loggerPrefix      = "logger-cluster-"
	sessionKeyName    = "session-key"
)

// ConnectorRecord writes a connector's configuration with its properties in their order.
func ConnectorRecord(connector string, properties []Property) Record {
	return Record{[]byte(connectorPrefix + connector), encodeProperties(properties)}
}

// ConnectorTombstone deletes a connector's configuration.
func ConnectorTombstone(connector string) Record {
	return Record{Key: []byte(connectorPrefix + connector)}
}

// TaskRecord writes one task configuration.
func TaskRecord(id TaskID, properties []Property) Record {
	return Record{[]byte(taskPrefix + id.Connector + "-" + strconv.Itoa(id.Task)), encodeProperties(properties)}
}

// CommitRecord makes the task records before it valid: tasks of them.
func CommitRecord(connector string, tasks int) Record {
	return Record{[]byte(commitPrefix + connector), []byte(`{"tasks":` + strconv.Itoa(tasks) + `}`)}
}

// TargetStateRecord writes what the user wants of a connector. Workers from before
// the state STOPPED read the first field, so that they pause.
func TargetStateRecord(connector string, state TargetState) Record {
	first := state
	if state == TargetStopped {
		first = TargetPaused
	}
	return Record{[]byte(targetStatePrefix + connector), fmt.Appendf(nil, `{"state":"%s","state.v2":"%s"}`, first, state)}
}

// TargetStateTombstone forgets it.
func TargetStateTombstone(connector string) Record {
	return Record{Key: []byte(targetStatePrefix + connector)}
}

// FencingRecord notes for how many tasks the older producers were fenced.
func FencingRecord(connector string, tasks int) Record {
	return Record{[]byte(fencingPrefix + connector), []byte(`{"task-count":` + strconv.Itoa(tasks) + `}`)}
}

// SessionKeyRecord publishes a session key.
func SessionKeyRecord(k SessionKey) Record {
	value := appendJavaString([]byte(`{"key":`), base64.StdEncoding.EncodeToString(k.Key))
	value = appendJavaString(append(value, `,"algorithm":`...), k.Algorithm)
	value = append(value, `,"creation-timestamp":`...)
	return Record{[]byte(sessionKeyName), append(strconv.AppendInt(value, k.CreatedMillis, 10), '}')}
}

// RestartRecord publishes a restart request.
func RestartRecord(r RestartRequest) Record {
	return Record{[]byte(restartPrefix + r.Connector), fmt.Appendf(nil, `{"include-tasks":%t,"only-failed":%t}`, r.IncludeTasks, r.OnlyFailed)}
}

// LoggerRecord publishes a change of a logger's level.
func LoggerRecord(l LoggerLevel) Record {
	return Record{[]byte(loggerPrefix + l.Namespace), append(appendJavaString([]byte(`{"level":`), l.Level), '}')}
}

func encodeProperties(properties []Property) []byte {
	b := []byte(`{"properties":{`)
	for i, p := range properties {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJavaString(b, p.Key), ':')
		b = appendJavaString(b, p.Value)
	}
	return append(b, "}}"...)
}

// propertiesInOrder lists a map's entries: the keys of order first, the rest sorted.
func propertiesInOrder(m map[string]string, order []string) []Property {
	properties := make([]Property, 0, len(m))
	listed := make(map[string]bool, len(order))
	for _, k := range order {
		if v, ok := m[k]; ok && !listed[k] {
			listed[k] = true
			properties = append(properties, Property{k, v})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !listed[k] {
			properties = append(properties, Property{k, m[k]})
		}
	}
	return properties
}

// asHashMap puts properties into the order in which Kafka Connect, which keeps
// task configurations in a java.util.HashMap, writes them.
func asHashMap(properties []Property) []Property {
	values := make(map[string]string, len(properties))
	keys := make([]string, len(properties))
	for i, p := range properties {
		keys[i], values[p.Key] = p.Key, p.Value
	}
	return propertiesInOrder(values, javamap.Order(keys))
}

// configEvent is one record of the config topic, understood.
type configEvent interface{ apply(f *ConfigFold) }

type (
	connectorEvent struct {
		connector  string
		properties []Property // nil: deleted
	}
	taskEvent struct {
		id         TaskID
		properties []Property
	}
	commitEvent struct {
		connector string
		tasks     int
	}
	targetStateEvent struct {
		connector string
		state     TargetState // empty: forgotten
	}
	fencingEvent struct {
		connector string
		tasks     int
	}
	sessionKeyEvent struct{ key SessionKey }
	restartEvent    struct{ request RestartRequest }
	loggerEvent     struct{ level LoggerLevel }
)

// errForeignRecord is a record that is not for this version: a key that nobody
// here writes. It may come from a newer worker and does no harm.
var errForeignRecord = errors.New("unknown key")

// parseConfigRecord understands one record. The error says why the record is to be ignored.
func parseConfigRecord(r Record) (configEvent, error) {
	key := string(r.Key)
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		if r.Value == nil {
			return connectorEvent{connector: name}, nil
		}
		properties, err := decodeProperties(r.Value)
		return connectorEvent{name, properties}, err
	}
	if name, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		state, err := decodeTargetState(r.Value)
		return targetStateEvent{name, state}, err
	}
	if r.Value == nil {
		return nil, errors.New("no value")
	}
	if rest, ok := strings.CutPrefix(key, taskPrefix); ok {
		return parseTask(rest, r.Value)
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		n, err := decodeCount(r.Value, "tasks")
		return commitEvent{name, n}, err
	}
	if name, ok := strings.CutPrefix(key, fencingPrefix); ok {
		n, err := decodeCount(r.Value, "task-count")
		return fencingEvent{name, n}, err
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		var v struct {
			IncludeTasks bool `json:"include-tasks"`
			OnlyFailed   bool `json:"only-failed"`
		}
		err := json.Unmarshal(r.Value, &v)
		return restartEvent{RestartRequest{name, v.IncludeTasks, v.OnlyFailed}}, err
	}
	if namespace, ok := strings.CutPrefix(key, loggerPrefix); ok {
		var v struct {
			Level *string `json:"level"`
		}
		if err := json.Unmarshal(r.Value, &v); err != nil || v.Level == nil {
			return nil, errors.Join(errors.New("no level"), err)
		}
		return loggerEvent{LoggerLevel{namespace, *v.Level}}, nil
	}
	if key == sessionKeyName {
		return parseSessionKey(r.Value)
	}
	return nil, errForeignRecord
}

func parseTask(rest string, value []byte) (configEvent, error) {
	id, ok := splitTask(rest)
	if !ok {
		return nil, errors.New("the key does not end with a task number")
	}
	properties, err := decodeProperties(value)
	return taskEvent{id, properties}, err
}

// splitTask takes "<connector>-<task>" apart; the connector's name may hold dashes.
func splitTask(s string) (TaskID, bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return TaskID{}, false
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 32)
	if err != nil || n < 0 {
		return TaskID{}, false
	}
	return TaskID{s[:i], int(n)}, true
}

func parseSessionKey(value []byte) (configEvent, error) {
	var v struct {
		Key       *string `json:"key"`
		Algorithm *string `json:"algorithm"`
		Created   *int64  `json:"creation-timestamp"`
	}
	// I-9: the error must not quote the value.
	if err := json.Unmarshal(value, &v); err != nil || v.Key == nil || v.Algorithm == nil || v.Created == nil {
		return nil, errors.New("the session key is not complete")
	}
	key, err := base64.StdEncoding.DecodeString(*v.Key)
	if err != nil {
		return nil, errors.New("the session key is not base64")
	}
	return sessionKeyEvent{SessionKey{key, *v.Algorithm, *v.Created}}, nil
}

// decodeTargetState prefers the newer field; a tombstone is the empty state.
func decodeTargetState(value []byte) (TargetState, error) {
	if value == nil {
		return "", nil
	}
	var v map[string]any
	if err := json.Unmarshal(value, &v); err != nil {
		return "", errors.New("the target state is not a JSON object")
	}
	text, ok := v["state.v2"].(string)
	if !ok {
		text, ok = v["state"].(string)
	}
	state := TargetState(text)
	if !ok || state != TargetStarted && state != TargetPaused && state != TargetStopped {
		return "", fmt.Errorf("unknown target state %q", text)
	}
	return state, nil
}

func decodeCount(value []byte, field string) (int, error) {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(value, &v); err != nil {
		return 0, errors.New("not a JSON object")
	}
	n, err := strconv.ParseInt(string(v[field]), 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is not a count", field)
	}
	return int(n), nil
}

// decodeProperties keeps the order of the properties. A property that is null has
// no value to give to a plugin and is left out. Errors quote no value (I-9).
func decodeProperties(value []byte) ([]Property, error) {
	var v struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(value, &v); err != nil || v.Properties == nil {
		return nil, errors.New("no properties")
	}
	d := json.NewDecoder(bytes.NewReader(v.Properties))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("the properties are not a JSON object")
	}
	properties := []Property{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, errors.New("the properties are not a JSON object")
		}
		var text *string
		if err := d.Decode(&text); err != nil {
			return nil, fmt.Errorf("property %v is not a string", key)
		}
		if text != nil {
			properties = append(properties, Property{key.(string), *text})
		}
	}
	return properties, nil
}
