package app

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
)

func TestTheDoctorJudgesInternalTopics(t *testing.T) {
	well := kafka.Topic{Name: "t", Partitions: 1, ReplicationFactor: 3}
	for name, c := range map[string]struct {
		topic   internalTopic
		verdict cli.Verdict
		found   string
	}{
		"well":                 {internalTopic{exists: true, found: well, cleanup: "compact"}, cli.Fine, "compacted, 1 partitions, 3 copies"},
		"not there yet":        {internalTopic{}, cli.Fine, "will create it"},
		"cannot be created":    {internalTopic{createErr: errors.New("no")}, cli.Trouble, "cannot be created"},
		"hidden":               {internalTopic{hidden: true, createErr: errors.New("no")}, cli.Trouble, "neither see nor create"},
		"deleted by time":      {internalTopic{exists: true, found: well, cleanup: "delete"}, cli.Trouble, "must be compact"},
		"compacted, deleted":   {internalTopic{exists: true, found: well, cleanup: "compact,delete"}, cli.Trouble, "must be compact"},
		"settings hidden":      {internalTopic{exists: true, found: well, cleanupErr: errors.New("no")}, cli.Warning, "cannot be read"},
		"one copy of three":    {internalTopic{exists: true, found: kafka.Topic{Partitions: 1, ReplicationFactor: 1}, cleanup: "compact"}, cli.Warning, "1 copies in a cluster of 3"},
		"configs in disorder":  {internalTopic{exists: true, onePartition: true, found: kafka.Topic{Partitions: 2, ReplicationFactor: 3}, cleanup: "compact"}, cli.Trouble, "must have one"},
		"statuses in any case": {internalTopic{exists: true, found: kafka.Topic{Partitions: 5, ReplicationFactor: 3}, cleanup: "compact"}, cli.Fine, "5 partitions"},
	} {
		t.Run(name, func(t *testing.T) {
			c.topic.InternalTopic = config.InternalTopic{Name: "t"}
			c.topic.setting = "config.storage"
			x := judgeTopic(&c.topic, 3)
			require.Equal(t, c.verdict, x.Verdict, x.Found)
			require.Contains(t, x.Found, c.found)
			require.Equal(t, x.Verdict == cli.Fine, x.Fix == "", "what is not well has a fix")
		})
	}
}

func TestTheDoctorNamesMissingRights(t *testing.T) {
	x := judgeRights("topic", "t", []string{"DESCRIBE", "READ"}, "READ", "WRITE")
	require.Equal(t, cli.Trouble, x.Verdict)
	require.Contains(t, x.Fix, "--operation WRITE --topic t")
	require.Equal(t, cli.Fine, judgeRights("group", "g", []string{"READ"}, "READ").Verdict)
	require.Equal(t, cli.Fine, judgeRights("group", "g", nil, "READ").Verdict, "an old broker does not tell")
}
