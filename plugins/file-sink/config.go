package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/plugins/file-sink/internal/output"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// kafkaConfig holds the only key of Kafka's FileStreamSink.
type kafkaConfig struct {
	File string `config:"file" importance:"high" doc:"Path of the file to append to; it is created if need be. {topic}, {partition} and {task} in it stand for those of a record. Without it lines go to standard output."`
}

// moreConfig holds the keys beyond it.
type moreConfig struct {
	Delivery    string        `config:"delivery" default:"at-least-once" valid:"at-least-once,exactly-once" importance:"high" doc:"exactly-once keeps the Kafka offsets of what is in the file beside it (FILE.offsets), cuts the file back to them after a crash and goes on from there, so that no record is in it twice."`
	Fsync       string        `config:"fsync" default:"" valid:",never,flush,interval" doc:"When data is forced to the disk: never (the default; safe against a crash of the process, not of the machine), flush (before offsets are committed; the default with exactly-once), or interval."`
	FsyncEvery  time.Duration `config:"fsync.interval.ms" default:"1000" min:"1" importance:"low" doc:"Milliseconds between two syncs with fsync=interval."`
	RotateBytes int64         `config:"rotate.bytes" default:"0" min:"0" doc:"Size from which the file is renamed, with the time behind its name, and a new one begun; 0 never. A file may be larger by one batch."`
	RotateEvery time.Duration `config:"rotate.interval.ms" default:"0" min:"0" doc:"Period of renaming the file in milliseconds, counted from midnight UTC: 3600000 is on the hour; 0 never. An empty file stays."`
}

type config struct {
	kafkaConfig
	moreConfig
}

// definition is the full set of keys; with hidden set, those beyond Kafka's are accepted without being shown.
func definition(hidden bool) *connect.ConfigDef {
	kafka := len(connect.DefineStruct(kafkaConfig{}).Keys())
	keys := connect.DefineStruct(config{}).Keys()
	for i := range keys {
		keys[i].Internal = hidden && i >= kafka
	}
	return connect.NewConfigDef(keys...)
}

func (c config) exact() bool { return c.Delivery == "exactly-once" }

// conflicts are rules between keys.
func (c config) conflicts(raw connect.Config) []connect.ConfigIssue {
	var issues []connect.ConfigIssue
	bad := func(key, value, why string) { issues = append(issues, connect.BadValue(key, value, why)) }
	if c.exact() {
		switch {
		case c.File == "":
			bad("delivery", c.Delivery, "standard output cannot be cut back after a crash; set the key \"file\"")
		case maxTasks(raw) > 1 && !c.filePerPartition(raw):
			bad("file", c.File, "with delivery=exactly-once and several tasks each Kafka partition needs a file of its own: "+
				"put {topic} and {partition} into the name, or set tasks.max to 1")
		case strings.Contains(c.File, "{task}"):
			bad("file", c.File, "with delivery=exactly-once a file must belong to the same partitions for ever, which "+
				"{task} does not promise; use {topic} and {partition}")
		}
	}
	if c.File == "" && (c.RotateBytes > 0 || c.RotateEvery > 0) {
		bad("file", "null", "standard output cannot be rotated; set the key \"file\", or drop rotate.bytes and rotate.interval.ms")
	}
	return issues
}

// filePerPartition tells whether no two Kafka partitions share a file.
func (c config) filePerPartition(raw connect.Config) bool {
	oneTopic := raw["topics.regex"] == "" && !strings.Contains(raw["topics"], ",")
	return strings.Contains(c.File, "{partition}") && (oneTopic || strings.Contains(c.File, "{topic}"))
}

// path is the file for the records of a partition.
func (c config) path(topic string, partition int32, task int) string {
	if !strings.Contains(c.File, "{") {
		return c.File
	}
	return strings.NewReplacer("{topic}", topic, "{partition}", strconv.Itoa(int(partition)),
		"{task}", strconv.Itoa(task)).Replace(c.File)
}

func (c config) fsync() (output.Fsync, error) {
	switch c.Fsync {
	case "":
		if c.exact() {
			return output.FsyncFlush, nil
		}
		return output.FsyncNever, nil
	case "never":
		return output.FsyncNever, nil
	case "flush":
		return output.FsyncFlush, nil
	case "interval":
		return output.FsyncInterval, nil
	}
	return output.FsyncNever, errors.New("unknown fsync policy " + c.Fsync)
}
