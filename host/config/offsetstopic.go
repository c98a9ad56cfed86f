package config

// OffsetsTopicOf returns the topic in which a source connector keeps its offsets, and whether it is one of its own; if not,
// it is the worker's. It is its own with offsets.storage.topic, and with exactly-once support also when the connector
// produces to another Kafka cluster, because records and offsets must be in one transaction (reference section 3.3). In a
// standalone worker there is none, as in Kafka Connect.
func (c *Connector) OffsetsTopicOf(w *Worker) (topic string, own bool) {
	if w.Cluster == nil || c.Source == nil {
		return "", false
	}
	topic = c.Source.OffsetsTopic
	elsewhere := c.ProducerProps(w, 0)["bootstrap.servers"] != w.ClientProps("")["bootstrap.servers"]
	if topic == "" {
		topic = w.Cluster.OffsetTopic.Name
		return topic, elsewhere && w.ExactlyOnceSourceEnabled()
	}
	return topic, elsewhere || topic != w.Cluster.OffsetTopic.Name
}

// The names of a connector's clients for its offsets (reference section 5.9).
const (
	offsetsProducerPrefix = "connector-offset-producer-"
	offsetsConsumerPrefix = "connector-consumer-"
	offsetsAdminPrefix    = "connector-adminclient-"
)

// OffsetsProducerProps returns the settings of the producer that writes to the connector's own offsets topic outside of
// transactions.
func (c *Connector) OffsetsProducerProps(w *Worker) map[string]string {
	return compose(w, "producer.", producerDefaults, offsetsProducerPrefix+c.Name, c.ProducerOverrides)
}

// OffsetsConsumerProps returns the settings of the consumer that reads the connector's own offsets topic.
func (c *Connector) OffsetsConsumerProps(w *Worker) map[string]string {
	props := compose(w, "consumer.", consumerDefaults, offsetsConsumerPrefix+c.Name, c.ConsumerOverrides)
	if w.ExactlyOncePrepared() {
		props["isolation.level"] = "read_committed" // whatever the settings say: what is not committed is no offset
	}
	return props
}

// OffsetsAdminProps returns the settings of the admin client that makes sure of the connector's own offsets topic.
func (c *Connector) OffsetsAdminProps(w *Worker) map[string]string {
	return c.AdminProps(w, offsetsAdminPrefix+c.Name)
}
