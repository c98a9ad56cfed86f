package config

import (
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
)

// ClientKind is the kind of Kafka client that settings are for.
type ClientKind string

// The kinds of clients whose settings a connector may override.
const (
	ProducerClient ClientKind = "producer"
	ConsumerClient ClientKind = "consumer"
	AdminClient    ClientKind = "admin"
)

// OverridePrefix starts the connector settings for the kind of client.
func (k ClientKind) OverridePrefix() string { return string(k) + ".override." }

// OverridePolicy says which client settings a connector may override. The zero
// value allows none.
type OverridePolicy struct {
	// Name is All, None, Principal or Allowlist.
	Name    string
	allowed map[string]bool
}

// ParseOverridePolicy reads connector.client.config.override.policy: a short name
// or the Java class of one of Kafka's own policies.
func ParseOverridePolicy(text string, allowlist []string) (OverridePolicy, error) {
	name := text[strings.LastIndexByte(text, '.')+1:]
	name = strings.TrimSuffix(name, "ConnectorClientConfigOverridePolicy")
	p := OverridePolicy{Name: name, allowed: map[string]bool{}}
	switch name {
	case "All", "None":
	case "Principal":
		for _, key := range []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"} {
			p.allowed[key] = true
		}
	case "Allowlist":
		for _, key := range allowlist {
			p.allowed[key] = true
		}
	default:
		return p, Invalid("connector.client.config.override.policy", text, "use one of All, None, Principal, Allowlist; Java policies cannot run here")
	}
	return p, nil
}

// Allows reports whether a connector may override the client setting, given
// without its prefix.
func (p OverridePolicy) Allows(key string) bool { return p.Name == "All" || p.allowed[key] }

// Check returns Kafka's error for a setting that may not be overridden, or nil.
func (p OverridePolicy) Check(key string) error {
	if p.Allows(key) {
		return nil
	}
	return kafkaError(fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", p.Name, key))
}

// Names on the Kafka cluster. Quotas and access rules of existing installations
// refer to them (reference section 5.9).

// SinkGroupID is the consumer group of a sink connector, unless it overrides group.id.
func SinkGroupID(connector string) string { return "connect-" + connector }

// ProducerClientID is the client id of a source task's producer.
func ProducerClientID(connector string, task int) string {
	return taskClientID("connector-producer-", connector, task)
}

// ConsumerClientID is the client id of a sink task's consumer.
func ConsumerClientID(connector string, task int) string {
	return taskClientID("connector-consumer-", connector, task)
}

// AdminClientID is the client id of the client that creates topics for a source task.
func AdminClientID(connector string, task int) string {
	return taskClientID("connector-adminclient-", connector, task)
}

// DLQProducerClientID is the client id of a task's dead letter producer.
func DLQProducerClientID(connector string, task int) string {
	return taskClientID("connector-dlq-producer-", connector, task)
}

// DLQAdminClientID is the client id of the client that creates a dead letter topic.
func DLQAdminClientID(connector string, task int) string {
	return taskClientID("connector-dlq-adminclient-", connector, task)
}

// WorkerAdminClientID is the client id of the client that fences tasks and manages
// the offsets of a sink connector.
func WorkerAdminClientID(connector string) string {
	return "connector-worker-adminclient-" + connector
}

// TransactionalID is the transactional id of a source task with exactly-once support.
func TransactionalID(groupID, connector string, task int) string {
	return fmt.Sprintf("%s-%s-%d", groupID, connector, task)
}

// LeaderTransactionalID is the transactional id with which the leader of a group writes configurations.
func LeaderTransactionalID(groupID string) string { return "connect-cluster-" + groupID }

func taskClientID(prefix, connector string, task int) string {
	return prefix + connector + "-" + strconv.Itoa(task)
}

// producerDefaults are the settings of every producer of a connector: never lose,
// never reorder, try until the task is stopped. Kafka Connect switches idempotence
// off, for brokers before 2.8 that ask for a right of its own, and then allows one
// request under way. Here it is on, so that several requests may be under way and
// order is still kept (I-6); producer.enable.idempotence=false gives the old way.
var producerDefaults = map[string]string{
	"acks":                                  "all",
	"enable.idempotence":                    "true",
	"max.in.flight.requests.per.connection": "5",
	"max.block.ms":                          strconv.FormatInt(math.MaxInt64, 10),
	"delivery.timeout.ms":                   strconv.Itoa(math.MaxInt32),
}

// consumerDefaults are the settings of every sink task's consumer: offsets are
// committed by the task alone (I-2), and a new group starts at the beginning.
var consumerDefaults = map[string]string{
	"enable.auto.commit": "false",
	"auto.offset.reset":  "earliest",
}

// ProducerProps returns the producer settings of a source task, in the names of
// Kafka's producer: defaults, then the worker's producer. settings, then the
// connector's producer.override. settings. They hold secrets.
func (c *Connector) ProducerProps(w *Worker, task int) map[string]string {
	props := compose(w, "producer.", producerDefaults, ProducerClientID(c.Name, task), c.ProducerOverrides)
	if w.ExactlyOnceSourceEnabled() {
		// I-5: a second instance of the task must be fenced by its id, so no
		// setting may change it.
		props["enable.idempotence"] = "true"
		props["transactional.id"] = TransactionalID(w.GroupID(), c.Name, task)
	}
	return props
}

// SourceDeadLetterBytes is how large a dead letter of a source may be: its topic
// and its producer must take what was too large for the topic that it was for.
const SourceDeadLetterBytes = 16 << 20

// DLQProducerProps returns the settings of a task's dead letter producer.
func (c *Connector) DLQProducerProps(w *Worker, task int) map[string]string {
	props := compose(w, "producer.", producerDefaults, DLQProducerClientID(c.Name, task), c.ProducerOverrides)
	if c.Kind == Source {
		props["max.request.size"] = strconv.Itoa(SourceDeadLetterBytes)
		props["buffer.memory"] = strconv.Itoa(2 * SourceDeadLetterBytes)
	}
	return props
}

// ConsumerProps returns the consumer settings of a sink task, in the names of
// Kafka's consumer: defaults, then the worker's consumer. settings, then the
// connector's consumer.override. settings. They hold secrets.
func (c *Connector) ConsumerProps(w *Worker, task int) map[string]string {
	defaults := maps.Clone(consumerDefaults)
	defaults["group.id"] = SinkGroupID(c.Name)
	return compose(w, "consumer.", defaults, ConsumerClientID(c.Name, task), c.ConsumerOverrides)
}

// SinkGroup returns the consumer group that the sink's tasks join.
func (c *Connector) SinkGroup(w *Worker) string {
	if group := c.ConsumerOverrides["group.id"]; group != "" {
		return group
	}
	if group := w.Props["consumer.group.id"]; group != "" {
		return group
	}
	return SinkGroupID(c.Name)
}

// AdminProps returns the settings of an admin client that acts for the connector
// under the given client id. Unlike producers and consumers it also takes the
// worker's settings without prefix that an admin client knows.
func (c *Connector) AdminProps(w *Worker, clientID string) map[string]string {
	return compose(w, "admin.", adminSettings(w.Props), clientID, c.AdminOverrides)
}

// ClientProps returns the settings of the worker's own clients, for the group and
// the internal topics: its settings without prefix that a Kafka client knows.
func (w *Worker) ClientProps(clientID string) map[string]string {
	props := adminSettings(w.Props)
	props["bootstrap.servers"] = strings.Join(w.BootstrapServers, ",")
	props["client.id"] = clientID
	return props
}

func compose(w *Worker, prefix string, defaults map[string]string, clientID string, overrides map[string]string) map[string]string {
	props := map[string]string{
		"bootstrap.servers": strings.Join(w.BootstrapServers, ","),
		"client.id":         clientID,
	}
	maps.Copy(props, defaults)
	maps.Copy(props, withPrefix(w.Props, prefix))
	maps.Copy(props, overrides)
	return props
}

// adminSettings picks the settings without prefix that an admin client knows.
func adminSettings(props map[string]string) map[string]string {
	out := map[string]string{}
	for _, k := range adminClientDef().Keys() {
		if value, ok := props[k.Name]; ok && k.Name != "client.id" && k.Name != "metric.reporters" {
			out[k.Name] = value
		}
	}
	return out
}

// overrides returns the connector's settings for a kind of client, without prefix.
func overrides(props map[string]string, kind ClientKind) map[string]string {
	return withPrefix(props, kind.OverridePrefix())
}

// sortedKeys returns the keys of settings in order, for stable messages.
func sortedKeys(props map[string]string) []string {
	return slices.Sorted(maps.Keys(props))
}

// checkHostPort returns what is wrong with a broker address. A protocol in front
// (SASL_SSL://host:9093) is accepted, as Kafka's clients accept it.
func checkHostPort(address string) error {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("%q is not of the form host:port, such as localhost:9092", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q needs a port between 1 and 65535", address)
	}
	return nil
}
