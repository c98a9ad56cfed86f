package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
)

// internalTopic is what the doctor knows of a topic that a cluster keeps its state in.
type internalTopic struct {
	setting string // config.storage.topic
	config.InternalTopic
	exists       bool
	hidden       bool // brokers refuse to say
	found        kafka.Topic
	cleanup      string // cleanup.policy
	cleanupErr   error
	createErr    error // whether it could be created; only when it does not exist
	rights       []string
	onePartition bool
}

// checkCluster checks the internal topics and the rights of the worker's principal.
func checkCluster(ctx context.Context, admin *kafka.Admin, c *config.Cluster, brokers int) []cli.Finding {
	topics := []*internalTopic{
		{setting: "config.storage", InternalTopic: c.ConfigTopic, onePartition: true},
		{setting: "offset.storage", InternalTopic: c.OffsetTopic},
		{setting: "status.storage", InternalTopic: c.StatusTopic},
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	rights, err := admin.Rights(ctx, c.GroupID, names...)
	if err != nil {
		return []cli.Finding{{Check: "permissions", Verdict: cli.Trouble, Found: err.Error(), Fix: orElse(kafka.Advice(err), "look at the broker's log")}}
	}
	var out []cli.Finding
	for _, t := range topics {
		look(ctx, admin, t, rights)
		out = append(out, judgeTopic(t, brokers))
		if t.exists {
			out = append(out, judgeRights("topic", t.Name, t.rights, "READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"))
		}
	}
	return append(out, judgeRights("group", c.GroupID, rights.Group, "READ"))
}

// checkTransactions checks the rights that sources need to write exactly once. The first transactional id is that of the leader,
// the second stands for those of the tasks.
func checkTransactions(ctx context.Context, settings *config.Worker) []cli.Finding {
	if !settings.ExactlyOncePrepared() {
		return nil
	}
	group := settings.GroupID()
	out := []cli.Finding{checkTransactionalID(ctx, settings.ClientProps(settings.ClientID), config.LeaderTransactionalID(group), "--transactional-id "+config.LeaderTransactionalID(group), "")}
	if settings.ExactlyOnceSourceEnabled() {
		doctor := &config.Connector{Kind: config.Source, Name: "tailrace-doctor"}
		id := config.TransactionalID(group, doctor.Name, 0)
		out = append(out, checkTransactionalID(ctx, doctor.ProducerProps(settings, 0), id, "--resource-pattern-type prefixed --transactional-id "+group+"-", "producer."))
	}
	return out
}

// checkTransactionalID asks with the rights of a client; ids are the options of kafka-acls.sh for what to grant, prefix is that of
// the client's settings.
func checkTransactionalID(ctx context.Context, client map[string]string, id, ids, prefix string) cli.Finding {
	x := cli.Finding{Check: "permissions on transactional id " + id, Verdict: cli.Fine, Found: "DESCRIBE, WRITE"}
	cfg, _, err := kafka.ParseClientConfig(kafka.AdminClient, client)
	var admin *kafka.Admin
	if err == nil {
		admin, err = kafka.NewAdmin(cfg)
	}
	if err == nil {
		defer admin.Close()
		err = admin.MayTransact(ctx, id)
	}
	switch {
	case err == nil:
	case errors.Is(err, kafka.ErrNotAuthorised):
		x.Verdict, x.Found = cli.Trouble, "missing: WRITE"
		x.Fix = "kafka-acls.sh --add --allow-principal User:… --operation WRITE --operation DESCRIBE " + ids
	default:
		x.Verdict, x.Found = cli.Trouble, err.Error()
		x.Fix = "check " + prefix + "security.protocol, " + prefix + "sasl.* and " + prefix + "ssl.*, and that the broker can make its topic __transaction_state"
	}
	return x
}

func look(ctx context.Context, admin *kafka.Admin, t *internalTopic, rights kafka.Rights) {
	t.rights, t.exists = rights.Topics[t.Name], false
	t.hidden = slices.Contains(rights.Hidden, t.Name)
	if found, err := admin.Topics(ctx, t.Name); err == nil {
		t.found, t.exists = found[t.Name], found[t.Name].Name != ""
	}
	if !t.exists {
		t.createErr = admin.MayCreate(ctx, kafka.NewTopic{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: t.ReplicationFactor, Configs: t.Configs})
		return
	}
	configs, err := admin.TopicConfigs(ctx, t.Name)
	t.cleanup, t.cleanupErr = configs["cleanup.policy"], err
}

// judgeTopic says what is wrong with an internal topic.
func judgeTopic(t *internalTopic, brokers int) cli.Finding {
	x := cli.Finding{Check: fmt.Sprintf("topic %s (%s.topic)", t.Name, t.setting), Verdict: cli.Trouble}
	switch {
	case t.hidden && t.createErr != nil:
		x.Found = "the worker may neither see nor create it"
		x.Fix = "create it with cleanup.policy=compact, and grant the worker READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it: " + kafka.Grant("READ and WRITE and DESCRIBE and DESCRIBE_CONFIGS", "topic", t.Name)
	case !t.exists && t.createErr != nil:
		x.Found = "it does not exist and cannot be created: " + t.createErr.Error()
		x.Fix = orElse(kafka.Advice(t.createErr), "create it with cleanup.policy=compact, or correct "+t.setting+".replication.factor and "+t.setting+".partitions")
	case !t.exists:
		x.Verdict, x.Found = cli.Fine, "it does not exist yet; the worker will create it"
	case t.onePartition && t.found.Partitions != 1:
		x.Found = fmt.Sprintf("it has %d partitions, and must have one: configurations would lose their order", t.found.Partitions)
		x.Fix = "name another topic in config.storage.topic, or delete this one if nothing in it is needed"
	case t.cleanupErr != nil:
		x.Verdict, x.Found = cli.Warning, "its settings cannot be read: "+t.cleanupErr.Error()
		x.Fix = orElse(kafka.Advice(t.cleanupErr), "look yourself whether its cleanup.policy is compact")
	case t.cleanup != "compact":
		x.Found = fmt.Sprintf("its cleanup.policy is %s, and must be compact: the broker would delete what the cluster knows", t.cleanup)
		x.Fix = fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config cleanup.policy=compact", t.Name)
	case t.found.ReplicationFactor < min(3, brokers):
		x.Verdict = cli.Warning
		x.Found = fmt.Sprintf("it has %d copies in a cluster of %d brokers: the worker stands still, or forgets, with the broker that has it", t.found.ReplicationFactor, brokers)
		x.Fix = "raise its replication factor to 3 (kafka-reassign-partitions.sh)"
	default:
		x.Verdict, x.Found = cli.Fine, fmt.Sprintf("compacted, %d partitions, %d copies", t.found.Partitions, t.found.ReplicationFactor)
	}
	return x
}

// judgeRights compares what the principal may do with what it needs.
func judgeRights(kind, name string, has []string, needs ...string) cli.Finding {
	x := cli.Finding{Check: fmt.Sprintf("permissions on %s %s", kind, name), Verdict: cli.Fine, Found: strings.Join(has, ", ")}
	if has == nil {
		x.Found = "the broker does not tell them"
		return x
	}
	var missing []string
	for _, n := range needs {
		if !slices.Contains(has, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		x.Verdict, x.Found = cli.Trouble, "missing: "+strings.Join(missing, ", ")
		x.Fix = kafka.Grant(strings.Join(missing, " and "), kind, name)
	}
	return x
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
