package main

import (
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/tailrace/tailrace/plugins/file-source/internal/format"
	"github.com/tailrace/tailrace/plugins/file-source/internal/lines"
	"github.com/tailrace/tailrace/plugins/file-source/internal/tail"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// source is where the lines of a chunk are from and where they go.
type source struct {
	topic     string
	path      string
	partition *connect.Partition // nil for a stream, whose records have no offset
	offset    *data.Schema
}

// encoder turns lines into records. It belongs to the task's goroutine.
type encoder struct {
	cfg     config
	log     *slog.Logger
	fields  []format.Field
	schema  *data.Schema // of json with fields, or of the csv header below
	csv     format.CSV
	header  *byte // first byte of the header that columns are made from
	columns []format.Field
	scratch []byte
	values  []any
	done    int // how much of the chunk's data is in the batch, should the next line fail
	every   int // as many records of the chunk share an offset; 0 for none
	since   int // records since the last one
}

// maxOffsets is how many offsets a chunk has. A record that the host cannot convert makes the lines behind the last offset before
// it be read again: a small part of a long chunk, and none of a short one, as with Kafka's connector.
const maxOffsets = 64

func newEncoder(cfg config, log *slog.Logger) (encoder, error) {
	fields, err := format.ParseFields(cfg.Fields)
	if err != nil {
		return encoder{}, err
	}
	e := encoder{cfg: cfg, log: log, fields: fields}
	if cfg.Format == "csv" {
		e.csv = format.CSV{Separator: separatorByte(cfg.Separator), Quote: separatorByte(cfg.Quote)}
	}
	if cfg.Format == "json" && len(fields) > 0 {
		e.schema, err = format.Schema(fields)
	}
	return e, err
}

// append adds the records of a chunk. The last of them carries the source offset of the whole chunk: lines that were skipped
// behind it need not be read again either. Of those before it some do, see maxOffsets. When a line fails, the records before it
// are kept, with the offset of that line.
func (e *encoder) append(out *connect.Batch, src source, chunk tail.Chunk) error {
	if chunk.Dropped > 0 {
		e.log.Warn("lines were skipped because they are longer than line.max.bytes", "file", src.path,
			"lines", chunk.Dropped, "before_byte", chunk.Base)
	}
	e.every, e.since = 0, 0
	if src.partition != nil {
		e.every = (len(chunk.Lines) + maxOffsets - 1) / maxOffsets
	}
	var last *connect.Record
	var err error
	switch e.cfg.Format {
	case "bytes":
		for _, l := range chunk.Lines {
			last = e.record(out, src, chunk, last, l)
			last.ValueBytes(chunk.Data[l.Start:l.End])
		}
	case "json":
		last, err = e.json(out, src, chunk)
	case "csv":
		last, err = e.rows(out, src, chunk)
	default:
		last, err = e.text(out, src, chunk)
	}
	if last != nil && src.partition != nil {
		end := chunk.End
		if err != nil {
			end = chunk.Place(e.done)
		}
		e.offset(last, src, end)
	}
	return err
}

// record begins the record of a line, behind the one before.
func (e *encoder) record(out *connect.Batch, src source, chunk tail.Chunk, before *connect.Record, l lines.Line) *connect.Record {
	if before != nil {
		if e.since++; e.since == e.every {
			e.since = 0
			e.offset(before, src, chunk.Place(l.Start))
		}
	}
	return out.Record(src.topic, src.partition)
}

func (e *encoder) offset(rec *connect.Record, src source, at tail.Offset) {
	w := rec.Offset(src.offset).Int64(at.Position)
	if src.offset == fullOffset {
		w.Int64(int64(at.Inode)).String(at.Print.String())
	}
}

// text is the hot path: one look at the whole chunk for UTF-8, then one copy a line into the batch.
func (e *encoder) text(out *connect.Batch, src source, chunk tail.Chunk) (last *connect.Record, err error) {
	end := chunk.Lines[len(chunk.Lines)-1].End
	if utf8.Valid(chunk.Data[chunk.Lines[0].Start:end]) {
		for _, l := range chunk.Lines {
			last = e.record(out, src, chunk, last, l)
			last.ValueString(chunk.Data[l.Start:l.End])
		}
		return last, nil
	}
	for _, l := range chunk.Lines {
		e.done = l.Start
		text, keep, err := e.valid(chunk.Data[l.Start:l.End], src, chunk.Base, l)
		if err != nil {
			return last, err
		}
		if keep {
			last = e.record(out, src, chunk, last, l)
			last.ValueString(text)
		}
	}
	return last, nil
}

// valid applies the rule for text that is not UTF-8.
func (e *encoder) valid(text []byte, src source, base int64, l lines.Line) (valid []byte, keep bool, err error) {
	if utf8.Valid(text) {
		return text, true, nil
	}
	at := base + int64(l.Start)
	switch e.cfg.InvalidUTF8 {
	case "fail":
		return nil, false, fmt.Errorf("%s: the line at byte %d is not UTF-8; set the key \"utf8.invalid\" to replace or skip, or \"format\" to bytes", src.path, at)
	case "skip":
		e.log.Warn("a line was skipped because it is not UTF-8", "file", src.path, "at_byte", at)
		return nil, false, nil
	}
	e.scratch = lines.AppendValid(e.scratch[:0], text)
	return e.scratch, true, nil
}

func (e *encoder) json(out *connect.Batch, src source, chunk tail.Chunk) (last *connect.Record, err error) {
	for _, l := range chunk.Lines {
		e.done = l.Start
		if l.Start == l.End {
			continue // an empty line holds no value
		}
		text, keep, err := e.valid(chunk.Data[l.Start:l.End], src, chunk.Base, l)
		if err != nil {
			return last, err
		}
		if !keep {
			continue
		}
		var value any
		var values []any
		if e.schema != nil {
			values, err = format.Struct(e.fields, text)
		} else {
			value, err = format.JSON(text)
		}
		if err != nil {
			if err := e.malformed(src, chunk.Base+int64(l.Start), err); err != nil {
				return last, err
			}
			continue
		}
		last = e.record(out, src, chunk, last, l)
		if e.schema == nil {
			last.Value(nil, value)
			continue
		}
		w := last.ValueStruct(e.schema)
		for _, v := range values {
			w.Value(v)
		}
	}
	return last, nil
}

func (e *encoder) rows(out *connect.Batch, src source, chunk tail.Chunk) (last *connect.Record, err error) {
	if err := e.useHeader(chunk.Header); err != nil {
		return nil, fmt.Errorf("%s: %w", src.path, err)
	}
	for _, l := range chunk.Lines {
		e.done = l.Start
		if l.Start == l.End {
			continue
		}
		text, keep, err := e.valid(chunk.Data[l.Start:l.End], src, chunk.Base, l)
		if err != nil {
			return last, err
		}
		if !keep {
			continue
		}
		cells, err := e.row(text)
		if err != nil {
			if err := e.malformed(src, chunk.Base+int64(l.Start), err); err != nil {
				return last, err
			}
			continue
		}
		last = e.record(out, src, chunk, last, l)
		w := last.ValueStruct(e.schema)
		for i, f := range e.columns {
			if f.IsText() {
				w.StringBytes(cells[i])
			} else {
				w.Value(e.values[i])
			}
		}
	}
	return last, nil
}

// useHeader makes the columns of a header, unless they are those of the header in use.
func (e *encoder) useHeader(header []byte) error {
	if len(header) == 0 {
		return errors.New("the first line, which should name the columns, is empty")
	}
	if e.header == &header[0] {
		return nil
	}
	columns, err := e.csv.Columns(header, e.fields)
	if err != nil {
		return err
	}
	schema, err := format.Schema(columns)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if e.schema == nil || !e.schema.Equal(schema) {
		e.schema = schema // files with the same header share one schema on the wire
	}
	e.header, e.columns = &header[0], columns
	return nil
}

// row splits a row and fills e.values for the columns that are no text. It writes nothing yet, so that a malformed row
// leaves no trace in the batch.
func (e *encoder) row(text []byte) ([][]byte, error) {
	cells, err := e.csv.Row(text)
	if err != nil {
		return nil, err
	}
	if len(cells) != len(e.columns) {
		return nil, fmt.Errorf("the row has %d columns, the header %d", len(cells), len(e.columns))
	}
	e.values = e.values[:0]
	for i, f := range e.columns {
		var v any
		if !f.IsText() {
			if v, err = f.Parse(string(cells[i])); err != nil {
				return nil, err
			}
		}
		e.values = append(e.values, v)
	}
	return cells, nil
}

func (e *encoder) malformed(src source, at int64, why error) error {
	if e.cfg.Malformed == "skip" {
		e.log.Warn("a malformed line was skipped", "file", src.path, "at_byte", at, "reason", why.Error())
		return nil
	}
	return fmt.Errorf("%s: the line at byte %d is no valid %s: %w; mend the file, or set the key \"malformed\" to skip",
		src.path, at, e.cfg.Format, why)
}
