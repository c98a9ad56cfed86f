package connecttest

import (
	"fmt"
	"maps"
	"sync"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Record is a record as the worker sees it: from a source, or for a sink.
type Record struct {
	Topic string
	// KafkaPartition is -1 in a record from a source that leaves the choice to the worker.
	KafkaPartition int32
	Key            any
	KeySchema      *data.Schema
	Value          any
	ValueSchema    *data.Schema
	Headers        []connect.Header
	// TimestampMillis is -1 for none.
	TimestampMillis int64
	// Offset is the Kafka offset of a record for a sink; it is set by Produce.
	Offset int64
	// Of a source: the record's number, its source partition and its source offset.
	Seq             uint64
	SourcePartition map[string]any
	SourceOffset    map[string]any
}

// Offsets is a store of source offsets, as the worker keeps it. Give the same one to two runs
// to test a restart. Safe for concurrent use.
type Offsets struct {
	mu   sync.Mutex
	rows map[string]map[string]any // by the partition's wire bytes
	part map[string]map[string]any
}

// NewOffsets makes an empty store.
func NewOffsets() *Offsets {
	return &Offsets{rows: make(map[string]map[string]any), part: make(map[string]map[string]any)}
}

// Set stores an offset, nil to remove it.
func (o *Offsets) Set(partition, offset map[string]any) {
	b, err := encodeMap(partition)
	if err != nil {
		panic(fmt.Sprintf("source partition %v: %v", partition, err))
	}
	o.set(string(b), partition, offset)
}

func (o *Offsets) set(key string, partition, offset map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if offset == nil {
		delete(o.rows, key)
		return
	}
	o.rows[key], o.part[key] = offset, partition
}

// Get is the stored offset of a partition, nil when there is none.
func (o *Offsets) Get(partition map[string]any) map[string]any {
	b, err := encodeMap(partition)
	if err != nil {
		return nil
	}
	return o.get(string(b))
}

func (o *Offsets) get(key string) map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.rows[key])
}

// Len is the number of partitions with an offset.
func (o *Offsets) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

func encodeMap(m map[string]any) ([]byte, error) {
	if m == nil {
		return nil, nil
	}
	v, err := data.Convert(nil, m)
	if err != nil {
		return nil, err
	}
	return data.AppendValue(nil, nil, v)
}

// decodeMap reads a schemaless map, or with a schema a STRUCT, as a map.
func decodeMap(s *data.Schema, b []byte) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	v, err := data.DecodeValue(s, b)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any)
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *data.Struct:
		for i, f := range v.Schema().Fields() {
			out[f.Name] = v.Values()[i]
		}
	case *data.Map:
		for _, e := range v.Entries() {
			k, ok := e.Key.(string)
			if !ok {
				return nil, fmt.Errorf("key %v is no string", e.Key)
			}
			out[k] = e.Value
		}
	default:
		return nil, fmt.Errorf("want a map or struct, not %T", v)
	}
	return out, nil
}
