package task

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// sourceErrants tells of records that a transform or a converter refuses: as a log
// line and as a dead letter. It belongs to the goroutine that converts.
type sourceErrants struct {
	letters  bool // there is a dead letter topic
	logText  bool // the log shows the whole record
	connect  convert.Converter
	headers  convert.HeaderConverter
	plain    convert.Converter // of partitions and offsets
	single   *transform.Batch  // for a record that no chain has seen
	received [][]byte          // source partitions in wire form; id 1 first
}

func newSourceErrants(letters, logText bool) *sourceErrants {
	s := &sourceErrants{letters: letters, logText: logText}
	var err error
	if s.connect, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "true"}, false); err == nil {
		if s.plain, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "false"}, false); err == nil {
			s.headers, err = convert.NewHeader("JsonConverter", map[string]string{"schemas.enable": "true"})
		}
	}
	if err != nil {
		panic(err) // fixed configuration
	}
	return s
}

// record gives a received record the form of a transform's batch.
func (s *sourceErrants) record(r *wire.SourceRecord, schemas *wire.SchemaTable, topic string) *transform.Record {
	if s.single == nil {
		s.single = transform.NewBatch(transform.Source)
	}
	s.single.Reset()
	t := s.single.Add()
	fillSource(t, r, schemas, topic)
	return t
}

func fillSource(t *transform.Record, r *wire.SourceRecord, schemas *wire.SchemaTable, topic string) {
	t.Topic, t.Partition = topic, r.KafkaPartition
	if r.TimestampMillis != wire.NoTimestamp {
		t.Timestamp = r.TimestampMillis
	}
	t.Key.SetWire(schemas.Get(r.KeySchema), r.Key)
	t.Value.SetWire(schemas.Get(r.ValueSchema), r.Value)
	t.Headers.SetWire(r.Headers, schemas)
}

// errant makes the dead letter of a record that is as it was before the failing step.
func (s *sourceErrants) errant(t *transform.Record, r *wire.SourceRecord, schemas *wire.SchemaTable, seq uint64, no refusal) Errant {
	e := Errant{
		Topic: t.Topic, Partition: t.Partition, Offset: -1, TimestampMillis: t.Timestamp, HasRecord: true,
		Stage: no.stage, Class: no.class, Transform: no.transform, Err: no.err,
		Source: &SourceErrant{Form: FormConnect, seq: seq},
	}
	if t.Partition == transform.NoPartition {
		e.Partition = kafka.PartitionAny
	}
	if t.Timestamp == transform.NoTimestamp {
		e.TimestampMillis = kafka.TimestampNow
	}
	if err := s.fill(&e, t); err != nil {
		e.Source.Form = FormNone
		e.Key, e.Value, e.Headers = nil, nil, kafka.Headers{}
		e.Err = fmt.Errorf("%w (and its bytes cannot be shown: %v)", no.err, err) //nolint:errorlint // one cause
	}
	if id := r.SourcePartition; id > 0 && int(id) <= len(s.received) {
		e.Source.Partition, _ = s.json(nil, s.received[id-1])
		e.Source.Offset, _ = s.json(schemas.Get(r.OffsetSchema), r.Offset)
	}
	return e
}

func (s *sourceErrants) fill(e *Errant, t *transform.Record) (err error) {
	if e.Key, err = s.part(&t.Key, t.Topic); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if e.Value, err = s.part(&t.Value, t.Topic); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	list, err := t.Headers.All()
	for i := range list {
		h := &list[i]
		var raw, out []byte
		if raw, _, err = h.Value.Wire(nil); err == nil {
			out, _, err = s.headers.FromHeader(nil, t.Topic, h.Name, h.Value.Schema(), headerWire(h.Value.Schema(), raw))
		}
		if err != nil {
			return fmt.Errorf("header %q: %w", h.Name, err)
		}
		e.Headers.Add(h.Name, out)
	}
	return err
}

func (s *sourceErrants) part(cell *transform.Cell, topic string) ([]byte, error) {
	raw, _, err := cell.Wire(nil)
	if err != nil || len(raw) == 0 && cell.Schema() == nil {
		return nil, err
	}
	out, _, err := s.connect.FromConnect(nil, topic, cell.Schema(), raw)
	return slices.Clone(out), err
}

func (s *sourceErrants) json(schema *data.Schema, raw []byte) ([]byte, error) {
	out, _, err := s.plain.FromConnect(nil, "", schema, raw)
	return slices.Clone(out), err
}

// text is the record as Kafka Connect's log shows it.
func (s *sourceErrants) text(t *transform.Record, r *wire.SourceRecord, schemas *wire.SchemaTable) string {
	t.Origin = func() (partition, offset any) {
		if id := r.SourcePartition; id > 0 && int(id) <= len(s.received) {
			partition, _ = data.DecodeValue(nil, s.received[id-1])
			offset, _ = data.DecodeValue(schemas.Get(r.OffsetSchema), r.Offset)
		}
		return partition, offset
	}
	return t.JavaText()
}

// skip deals with a record that is refused, in the state t; false ends the batch before it.
func (c *sourceConverter) skip(p *preparedBatch, t *transform.Record, r *wire.SourceRecord, b *wire.SourceBatch, seq uint64, no refusal) bool {
	failure := &RecordFailure{
		Stage: no.stage, Class: no.class, Transform: no.transform, Err: no.err, seq: seq,
		Where: "record " + strconv.FormatUint(seq, 10) + " of the task (source partition " + strconv.Itoa(int(r.SourcePartition)) + ") for topic " + t.Topic,
	}
	if c.errants.logText {
		failure.record = c.errants.text(t, r, b.Schemas())
	}
	if !c.policy.TolerateAll || errors.Is(no.err, convert.ErrStopped) {
		failure.Fatal = true
		c.errant(failure)
		p.failure, p.through = failure, seq-1
		return false
	}
	c.errant(failure)
	if c.errants.letters {
		p.letters = append(p.letters, c.errants.errant(t, r, b.Schemas(), seq, no))
	}
	p.skipped = append(p.skipped, int(seq-p.firstSeq))
	return true
}
