package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/plugins/file-source/internal/discover"
	"github.com/tailrace/tailrace/plugins/file-source/internal/format"
	"github.com/tailrace/tailrace/plugins/file-source/internal/lines"
	"github.com/tailrace/tailrace/plugins/file-source/internal/tail"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// kafkaConfig holds the keys of Kafka's FileStreamSource, in its order.
type kafkaConfig struct {
	File      string `config:"file" importance:"high" doc:"Path of the file to read. It may not exist yet. Without it (and without files) standard input is read."`
	Topic     string `config:"topic" required:"true" nonempty:"true" importance:"high" doc:"The topic to write to."`
	BatchSize int32  `config:"batch.size" default:"2000" importance:"low" doc:"The most records that are read at a time."`
}

// moreConfig holds the keys beyond it.
type moreConfig struct {
	Files        []string      `config:"files" default:"" importance:"high" doc:"Patterns of the files to read, instead of file, for example /var/log/app/*.log. New files are found while running."`
	Exclude      []string      `config:"files.exclude" default:"" doc:"Patterns of files to leave out. A pattern without a slash is compared with the name only."`
	ScanInterval time.Duration `config:"files.scan.interval.ms" default:"1000" min:"10" doc:"Milliseconds between two looks for new files."`
	Format       string        `config:"format" default:"lines" valid:"lines,bytes,json,csv" importance:"high" doc:"What a line is: lines gives its text as a string, bytes its bytes as they are, json the value of its JSON text, csv a struct named after the header."`
	Fields       []string      `config:"fields" default:"" doc:"Types for csv and json, for example id:int64,price:decimal(2),at:timestamp. Types: string, boolean, int8, int16, int32, int64, float32, float64, bytes, decimal(SCALE), date, time, timestamp. Columns of csv that are not named are strings; with it a line of json becomes a struct of exactly these fields."`
	Separator    string        `config:"csv.separator" default:"," doc:"The character between two columns, \\t for a tab."`
	Quote        string        `config:"csv.quote" default:"\"" doc:"The character around columns that hold separators or line ends."`
	Malformed    string        `config:"malformed" default:"fail" valid:"fail,skip" doc:"What to do with a line that is no valid json or csv: fail the task, or skip the line with a warning in the log."`
	LineEnd      string        `config:"line.end" default:"any" valid:"any,crlf,lf" importance:"low" doc:"Where a line ends: any is LF, CRLF or a lone CR as in Kafka's FileStreamSource; crlf is LF or CRLF; lf is LF only, so that a CR stays in the line."`
	LineMax      int32         `config:"line.max.bytes" default:"1000000" min:"1" max:"4000000" doc:"The longest line in bytes. The default is just under what a Kafka broker takes by default (message.max.bytes)."`
	TooLong      string        `config:"line.too.long" default:"fail" valid:"fail,truncate,split,skip" doc:"What to do with a longer line: fail the task, truncate the line, split it into several records, or skip it."`
	InvalidUTF8  string        `config:"utf8.invalid" default:"replace" valid:"replace,fail,skip" doc:"What to do with a line that is not UTF-8: replace what is wrong by U+FFFD as Kafka's FileStreamSource does, fail the task, or skip the line. The format bytes takes every line."`
	IdleFlush    time.Duration `config:"file.idle.flush.ms" default:"0" min:"0" doc:"After how many milliseconds without a change a last line without a line end is taken for finished; 0 waits for its end as Kafka's FileStreamSource does."`
	RotateWait   time.Duration `config:"rotate.wait.ms" default:"1000" min:"0" importance:"low" doc:"For how many milliseconds nothing must have been written to a rotated file before the next file is read, because its writer may still have it open."`
	Rotated      string        `config:"rotated.files" importance:"low" doc:"Pattern of the rotated versions of file, if they are not called like it with a dot, hyphen or underscore and a digit behind (app.log.1, app.log-20261121.gz)."`
	Identity     string        `config:"offset.identity" default:"auto" valid:"auto,always,never" importance:"low" doc:"Whether the stored offset also holds inode and fingerprint, to find the place again after a rotation that happened while stopped: auto is with files, or once rotated versions of file exist; never is exactly the offset of Kafka's FileStreamSource."`
}

// taskShare are keys that the connector adds for its tasks.
type taskShare struct {
	Task  int32 `config:"task.share.number" default:"0" internal:"true" doc:"Set by the connector."`
	Tasks int32 `config:"task.share.count" default:"1" internal:"true" doc:"Set by the connector."`
}

type config struct {
	kafkaConfig
	moreConfig
	taskShare
}

// checks are rules on single keys that tags cannot say.
var checks = map[string]func(string) error{
	"csv.separator": oneByte,
	"csv.quote":     oneByte,
	"files":         func(v string) error { return discover.Check(splitList(v)) },
	"fields":        func(v string) error { _, err := format.ParseFields(splitList(v)); return err },
	"rotated.files": func(v string) error {
		if v == "" {
			return nil
		}
		return discover.Check([]string{v})
	},
}

// definition is the full set of keys; with hidden set, all but those of Kafka's FileStreamSource are accepted without
// being shown, so that tools which compare definitions see what they know.
func definition(hidden bool) *connect.ConfigDef {
	kafka := len(connect.DefineStruct(kafkaConfig{}).Keys())
	keys := connect.DefineStruct(config{}).Keys()
	for i := range keys {
		keys[i].Check = checks[keys[i].Name]
		keys[i].Internal = keys[i].Internal || hidden && i >= kafka
	}
	return connect.NewConfigDef(keys...)
}

func (c config) format() (tail.Format, error) {
	ends, err := lines.ParseEnds(c.LineEnd)
	if err != nil {
		return tail.Format{}, err
	}
	tooLong, err := tail.ParseTooLong(c.TooLong)
	if err != nil {
		return tail.Format{}, err
	}
	f := tail.Format{LineBytes: int(c.LineMax), TooLong: tooLong, CRLF: ends != lines.LF}
	f.Split, f.Resync = lines.SplitterFor(ends), lines.SplitterFor(ends)
	if c.Format == "csv" {
		f.Split, f.Resync = lines.SplitCSV(separatorByte(c.Quote)), lines.SplitterFor(lines.CRLF)
	}
	return f, nil
}

// conflicts are rules between keys.
func (c config) conflicts() []connect.ConfigIssue {
	var issues []connect.ConfigIssue
	bad := func(key, value, why string) { issues = append(issues, connect.BadValue(key, value, why)) }
	if c.File != "" && len(c.Files) > 0 {
		bad("files", fmt.Sprint(c.Files), "the key \"file\" is set too; use one of them")
	}
	if c.Format == "csv" && c.Separator == c.Quote {
		bad("csv.quote", c.Quote, "it is the separator too")
	}
	if len(c.Fields) > 0 && c.Format != "csv" && c.Format != "json" {
		bad("fields", fmt.Sprint(c.Fields), "only the formats csv and json have fields; set the key \"format\"")
	}
	return issues
}

func oneByte(v string) error {
	if v != `\t` && len(v) != 1 || v == "\n" || v == "\r" {
		return errors.New(`want one ASCII character, or \t for a tab`)
	}
	return nil
}

func separatorByte(v string) byte {
	if v == `\t` {
		return '\t'
	}
	return v[0]
}
