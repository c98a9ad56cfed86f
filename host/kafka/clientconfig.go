package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientKind says which of the Java client's three property sets applies.
type ClientKind string

// The kinds of client.
const (
	ProducerClient ClientKind = "producer"
	ConsumerClient ClientKind = "consumer"
	AdminClient    ClientKind = "admin"
)

// ClientConfig is a checked client configuration: plain values, no secrets in
// its exported fields, safe to copy and to compare field by field. Build it with
// ParseClientConfig and change single fields in code where needed.
type ClientConfig struct {
	Kind             ClientKind
	BootstrapServers []string // host:port
	ClientID         string
	ClientRack       string

	RequestTimeout     time.Duration // request.timeout.ms
	RetryBackoff       time.Duration // retry.backoff.ms
	RetryBackoffMax    time.Duration // retry.backoff.max.ms
	MetadataMaxAge     time.Duration // metadata.max.age.ms
	ConnectionsMaxIdle time.Duration // connections.max.idle.ms
	DialTimeout        time.Duration // socket.connection.setup.timeout.ms
	SendBufferBytes    int           // send.buffer.bytes; 0 leaves it to the system
	ReceiveBufferBytes int           // receive.buffer.bytes; 0 leaves it to the system

	Producer ProducerSettings // of a ProducerClient
	Consumer ConsumerSettings // of a ConsumerClient

	// Logger receives the client library's warnings and errors; nil discards them.
	Logger *slog.Logger

	security security
	wires    *wires // nil when the client need not be cut
}

// ProducerSettings are the settings of a producer.
type ProducerSettings struct {
	Acks            string        // "all", "1" or "0"
	Idempotent      bool          // enable.idempotence
	MaxInFlight     int           // max.in.flight.requests.per.connection, used without idempotence
	CompressionType string        // none, gzip, snappy, lz4, zstd
	Linger          time.Duration // linger.ms
	// MaxRequestBytes (max.request.size) bounds a record batch and therefore a record.
	MaxRequestBytes int
	// BufferBytes (buffer.memory) bounds keys, values and headers that wait in the producer.
	BufferBytes int64
	// BufferRecords bounds the number of waiting records; it follows from BufferBytes.
	BufferRecords int
	// DeliveryTimeout (delivery.timeout.ms) is zero when records wait until the caller gives up.
	DeliveryTimeout time.Duration
	// TransactionTimeout (transaction.timeout.ms) is after which time the broker aborts a transaction that nobody ends.
	TransactionTimeout time.Duration
}

// ConsumerSettings are the settings of a group consumer.
type ConsumerSettings struct {
	GroupID                string
	GroupInstanceID        string
	SessionTimeout         time.Duration
	HeartbeatInterval      time.Duration
	RebalanceTimeout       time.Duration // max.poll.interval.ms
	AutoOffsetReset        string        // earliest, latest, none
	IsolationLevel         string        // read_uncommitted, read_committed
	CreateTopics           bool          // lets a broker with auto.create.topics.enable make the topics of a list
	AssignmentStrategies   []string      // range, roundrobin, sticky, cooperative-sticky
	FetchMinBytes          int
	FetchMaxBytes          int
	FetchMaxWait           time.Duration
	MaxPartitionFetchBytes int
	MaxPollRecords         int
	// SoleClientID says that no other consumer that lives may have this client id, so that a member of the group that has it
	// is a predecessor that died without leaving, and is put out. It is no property; the maker of the consumer sets it.
	SoleClientID bool
	// MaxFetches bounds the fetch responses that are in flight or buffered, so
	// that a consumer holds at most about MaxFetches*FetchMaxBytes (I-4).
	MaxFetches int
}

// ConfigError names one bad client property.
type ConfigError struct {
	Key    string
	Value  string
	Reason string
}

func (e *ConfigError) Error() string {
	if isSecurityKey(e.Key) && e.Key != "security.protocol" { // I-9
		return fmt.Sprintf("invalid value for client property %s: %s", e.Key, e.Reason)
	}
	return fmt.Sprintf("invalid value %q for client property %s: %s", e.Value, e.Key, e.Reason)
}

// defaultConfig holds Kafka Connect's defaults for connector clients (reference
// sections 5.4 and 5.5) with three deliberate differences: the producer is
// idempotent, it lingers 5 ms as the Java client does since 4.0, and a fetch asks
// for 8 MiB instead of 50 MiB so that memory stays bounded.
func defaultConfig(kind ClientKind) ClientConfig {
	return ClientConfig{
		Kind:               kind,
		BootstrapServers:   []string{"localhost:9092"},
		RequestTimeout:     30 * time.Second,
		RetryBackoff:       100 * time.Millisecond,
		RetryBackoffMax:    time.Second,
		MetadataMaxAge:     5 * time.Minute,
		ConnectionsMaxIdle: 9 * time.Minute,
		DialTimeout:        10 * time.Second,
		Producer: ProducerSettings{
			Acks:            "all",
			Idempotent:      true,
			MaxInFlight:     1,
			CompressionType: "none",
			Linger:          5 * time.Millisecond,
			MaxRequestBytes: 1 << 20,
			BufferBytes:     32 << 20,
			BufferRecords:   bufferRecords(32 << 20),

			TransactionTimeout: time.Minute,
		},
		Consumer: ConsumerSettings{
			SessionTimeout:         45 * time.Second,
			HeartbeatInterval:      3 * time.Second,
			RebalanceTimeout:       5 * time.Minute,
			AutoOffsetReset:        "earliest",
			IsolationLevel:         "read_uncommitted",
			CreateTopics:           true,
			AssignmentStrategies:   []string{"range", "cooperative-sticky"},
			FetchMinBytes:          1,
			FetchMaxBytes:          8 << 20,
			FetchMaxWait:           500 * time.Millisecond,
			MaxPartitionFetchBytes: 1 << 20,
			MaxPollRecords:         500,
			MaxFetches:             4,
		},
	}
}

// bufferRecords bounds the record count of a buffer: a waiting record costs
// about 300 bytes of bookkeeping, so tiny records must not multiply the memory
// that buffer.memory promises.
func bufferRecords(bytes int64) int {
	return int(min(max(bytes/512, 1024), 1<<20))
}

// ParseClientConfig maps Java client properties to a ClientConfig. Keys that
// mean nothing here come back as warnings, one sentence each; bad values
// come back together in one error of joined *ConfigError. Empty values count as
// not set. The function is pure: it touches no network and no file.
func ParseClientConfig(kind ClientKind, props map[string]string) (ClientConfig, []string, error) {
	cfg := defaultConfig(kind)
	var warnings []string
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(props)) {
		value := strings.TrimSpace(props[key])
		if value == "" || isSecurityKey(key) {
			continue
		}
		p, ok := properties[key]
		switch {
		case !ok:
			warnings = append(warnings, unknownProperty(key))
		case !p.appliesTo(kind):
			warnings = append(warnings, fmt.Sprintf("client property %s has no effect on a %s", key, kind))
		case p.set == nil:
			if p.note != "" {
				warnings = append(warnings, fmt.Sprintf("client property %s has no effect: %s", key, p.note))
			}
		default:
			if reason := p.set(&cfg, value); reason != "" {
				errs = append(errs, &ConfigError{Key: key, Value: value, Reason: reason})
			}
		}
	}
	sec, err := parseSecurity(props)
	if err != nil {
		errs = append(errs, err)
	}
	cfg.security = sec
	warnings = append(warnings, securityWarnings(props)...)
	errs = append(errs, cfg.settle(props)...)
	return cfg, warnings, errors.Join(errs...)
}

// settle applies the rules that tie several properties together.
func (c *ClientConfig) settle(props map[string]string) []error {
	var errs []error
	switch c.Kind {
	case ProducerClient:
		p := &c.Producer
		explicit := strings.TrimSpace(props["enable.idempotence"]) != ""
		switch {
		case p.Acks != "all" && explicit && p.Idempotent:
			errs = append(errs, &ConfigError{Key: "acks", Value: p.Acks, Reason: "enable.idempotence=true needs acks=all"})
		case p.MaxInFlight > 5 && explicit && p.Idempotent:
			errs = append(errs, &ConfigError{Key: "max.in.flight.requests.per.connection", Value: strconv.Itoa(p.MaxInFlight), Reason: "enable.idempotence=true needs at most 5"})
		case p.Acks != "all" || p.MaxInFlight > 5:
			p.Idempotent = false // as the Java client: a conflicting choice switches it off
		}
	case ConsumerClient:
		if c.Consumer.HeartbeatInterval >= c.Consumer.SessionTimeout {
			errs = append(errs, &ConfigError{Key: "heartbeat.interval.ms", Value: c.Consumer.HeartbeatInterval.String(), Reason: "must be lower than session.timeout.ms"})
		}
		c.Consumer.MaxPartitionFetchBytes = min(c.Consumer.MaxPartitionFetchBytes, c.Consumer.FetchMaxBytes)
	}
	return errs
}

// property is one known key: which clients it configures and how. A nil set
// means that the key is accepted without effect, with a warning when note is set.
type property struct {
	kinds []ClientKind // empty = all
	set   func(c *ClientConfig, value string) (problem string)
	note  string
}

func (p property) appliesTo(kind ClientKind) bool {
	return len(p.kinds) == 0 || slices.Contains(p.kinds, kind)
}

var (
	producerOnly = []ClientKind{ProducerClient}
	consumerOnly = []ClientKind{ConsumerClient}
)

// properties lists what the Java clients of Kafka 4.1 accept, with the part of
// it that has a meaning here.
var properties = map[string]property{
	"bootstrap.servers":                  {set: setBootstrap},
	"client.id":                          {set: text(func(c *ClientConfig) *string { return &c.ClientID })},
	"client.rack":                        {set: text(func(c *ClientConfig) *string { return &c.ClientRack })},
	"request.timeout.ms":                 {set: millis(1, func(c *ClientConfig) *time.Duration { return &c.RequestTimeout })},
	"retry.backoff.ms":                   {set: millis(0, func(c *ClientConfig) *time.Duration { return &c.RetryBackoff })},
	"retry.backoff.max.ms":               {set: millis(0, func(c *ClientConfig) *time.Duration { return &c.RetryBackoffMax })},
	"metadata.max.age.ms":                {set: millis(1, func(c *ClientConfig) *time.Duration { return &c.MetadataMaxAge })},
	"connections.max.idle.ms":            {set: millis(1, func(c *ClientConfig) *time.Duration { return &c.ConnectionsMaxIdle })},
	"socket.connection.setup.timeout.ms": {set: millis(1, func(c *ClientConfig) *time.Duration { return &c.DialTimeout })},

	"acks":                                  {kinds: producerOnly, set: setAcks},
	"enable.idempotence":                    {kinds: producerOnly, set: boolean(func(c *ClientConfig) *bool { return &c.Producer.Idempotent })},
	"max.in.flight.requests.per.connection": {kinds: producerOnly, set: integer(1, func(c *ClientConfig) *int { return &c.Producer.MaxInFlight })},
	"compression.type":                      {kinds: producerOnly, set: oneOf(func(c *ClientConfig) *string { return &c.Producer.CompressionType }, "none", "gzip", "snappy", "lz4", "zstd")},
	"linger.ms":                             {kinds: producerOnly, set: millis(0, func(c *ClientConfig) *time.Duration { return &c.Producer.Linger })},
	"max.request.size":                      {kinds: producerOnly, set: setMaxRequest},
	"buffer.memory":                         {kinds: producerOnly, set: setBufferMemory},
	"delivery.timeout.ms":                   {kinds: producerOnly, set: setDeliveryTimeout},
	"batch.size":                            {kinds: producerOnly, note: "batches fill up to max.request.size while linger.ms lasts"},
	"max.block.ms":                          {kinds: producerOnly},
	"retries":                               {kinds: producerOnly},
	"key.serializer":                        {kinds: producerOnly, note: "the converters of the connector decide"},
	"value.serializer":                      {kinds: producerOnly, note: "the converters of the connector decide"},
	"partitioner.class":                     {kinds: producerOnly, note: "records go to partitions as with Kafka's default partitioner"},
	"transactional.id":                      {kinds: producerOnly, note: "the worker decides on transactions"},
	"transaction.timeout.ms":                {kinds: producerOnly, set: millis(1, func(c *ClientConfig) *time.Duration { return &c.Producer.TransactionTimeout })},
	"partitioner.adaptive.partitioning.enable": {kinds: producerOnly},
	"partitioner.availability.timeout.ms":      {kinds: producerOnly},
	"partitioner.ignore.keys":                  {kinds: producerOnly, note: "keys always choose the partition"},
	"compression.gzip.level":                   {kinds: producerOnly},
	"compression.lz4.level":                    {kinds: producerOnly},
	"compression.zstd.level":                   {kinds: producerOnly},
	"metadata.max.idle.ms":                     {kinds: producerOnly},

	"group.id":                      {kinds: consumerOnly, set: text(func(c *ClientConfig) *string { return &c.Consumer.GroupID })},
	"group.instance.id":             {kinds: consumerOnly, set: text(func(c *ClientConfig) *string { return &c.Consumer.GroupInstanceID })},
	"session.timeout.ms":            {kinds: consumerOnly, set: millis(1, func(c *ClientConfig) *time.Duration { return &c.Consumer.SessionTimeout })},
	"heartbeat.interval.ms":         {kinds: consumerOnly, set: millis(1, func(c *ClientConfig) *time.Duration { return &c.Consumer.HeartbeatInterval })},
	"max.poll.interval.ms":          {kinds: consumerOnly, set: millis(1, func(c *ClientConfig) *time.Duration { return &c.Consumer.RebalanceTimeout })},
	"max.poll.records":              {kinds: consumerOnly, set: integer(1, func(c *ClientConfig) *int { return &c.Consumer.MaxPollRecords })},
	"auto.offset.reset":             {kinds: consumerOnly, set: oneOf(func(c *ClientConfig) *string { return &c.Consumer.AutoOffsetReset }, "earliest", "latest", "none")},
	"isolation.level":               {kinds: consumerOnly, set: oneOf(func(c *ClientConfig) *string { return &c.Consumer.IsolationLevel }, "read_uncommitted", "read_committed")},
	"partition.assignment.strategy": {kinds: consumerOnly, set: setAssignmentStrategies},
	"fetch.min.bytes":               {kinds: consumerOnly, set: integer(0, func(c *ClientConfig) *int { return &c.Consumer.FetchMinBytes })},
	"fetch.max.bytes":               {kinds: consumerOnly, set: integer(1024, func(c *ClientConfig) *int { return &c.Consumer.FetchMaxBytes })},
	"fetch.max.wait.ms":             {kinds: consumerOnly, set: millis(0, func(c *ClientConfig) *time.Duration { return &c.Consumer.FetchMaxWait })},
	"max.partition.fetch.bytes":     {kinds: consumerOnly, set: integer(1024, func(c *ClientConfig) *int { return &c.Consumer.MaxPartitionFetchBytes })},
	"group.protocol":                {kinds: consumerOnly, set: onlyValue("classic", "this version joins groups with the classic protocol only")},
	"group.remote.assignor":         {kinds: consumerOnly, note: "group.protocol is classic"},
	"enable.auto.commit":            {kinds: consumerOnly, set: onlyValue("false", "the worker commits offsets itself, after the sink has confirmed them")},
	"auto.commit.interval.ms":       {kinds: consumerOnly, note: "the worker commits by offset.flush.interval.ms"},
	"allow.auto.create.topics":      {kinds: consumerOnly, set: boolean(func(c *ClientConfig) *bool { return &c.Consumer.CreateTopics })},
	"exclude.internal.topics":       {kinds: consumerOnly, note: "a pattern never matches Kafka's internal topics"},
	"check.crcs":                    {kinds: consumerOnly, note: "checksums are always verified"},
	"default.api.timeout.ms":        {kinds: []ClientKind{ConsumerClient, AdminClient}},
	"key.deserializer":              {kinds: consumerOnly, note: "the converters of the connector decide"},
	"value.deserializer":            {kinds: consumerOnly, note: "the converters of the connector decide"},

	"bootstrap.controllers": {kinds: []ClientKind{AdminClient}, note: "requests go through bootstrap.servers"},

	"interceptor.classes":                      {note: "Java interceptors cannot run here"},
	"metric.reporters":                         {note: "see the worker's own metrics"},
	"metrics.num.samples":                      {},
	"metrics.sample.window.ms":                 {},
	"metrics.recording.level":                  {},
	"auto.include.jmx.reporter":                {},
	"enable.metrics.push":                      {},
	"client.dns.lookup":                        {},
	"send.buffer.bytes":                        {set: integer(-1, func(c *ClientConfig) *int { return &c.SendBufferBytes })},
	"receive.buffer.bytes":                     {set: integer(-1, func(c *ClientConfig) *int { return &c.ReceiveBufferBytes })},
	"reconnect.backoff.ms":                     {},
	"reconnect.backoff.max.ms":                 {},
	"socket.connection.setup.timeout.max.ms":   {},
	"metadata.recovery.strategy":               {},
	"metadata.recovery.rebootstrap.trigger.ms": {},
}

func text(field func(*ClientConfig) *string) func(*ClientConfig, string) string {
	return func(c *ClientConfig, v string) string {
		*field(c) = v
		return ""
	}
}

func oneOf(field func(*ClientConfig) *string, allowed ...string) func(*ClientConfig, string) string {
	return func(c *ClientConfig, v string) string {
		v = strings.ToLower(v)
		if !slices.Contains(allowed, v) {
			return "must be one of " + strings.Join(allowed, ", ")
		}
		*field(c) = v
		return ""
	}
}

func onlyValue(allowed, reason string) func(*ClientConfig, string) string {
	return func(_ *ClientConfig, v string) string {
		if strings.EqualFold(v, allowed) {
			return ""
		}
		return "must be " + allowed + ": " + reason
	}
}

func boolean(field func(*ClientConfig) *bool) func(*ClientConfig, string) string {
	return func(c *ClientConfig, v string) string {
		switch strings.ToLower(v) {
		case "true":
			*field(c) = true
		case "false":
			*field(c) = false
		default:
			return "must be true or false"
		}
		return ""
	}
}

func integer(lowest int64, field func(*ClientConfig) *int) func(*ClientConfig, string) string {
	return func(c *ClientConfig, v string) string {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < lowest {
			return fmt.Sprintf("must be a whole number from %d to %d", lowest, math.MaxInt32)
		}
		*field(c) = int(n)
		return ""
	}
}

func millis(lowest int64, field func(*ClientConfig) *time.Duration) func(*ClientConfig, string) string {
	return func(c *ClientConfig, v string) string {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < lowest {
			return fmt.Sprintf("must be a whole number of milliseconds, at least %d", lowest)
		}
		// The protocol carries milliseconds in 32 bits; longer waits mean the longest.
		*field(c) = time.Duration(min(n, math.MaxInt32)) * time.Millisecond
		return ""
	}
}

func setBootstrap(c *ClientConfig, v string) string {
	var servers []string
	for s := range strings.SplitSeq(v, ",") {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if _, address, scheme := strings.Cut(s, "://"); scheme {
			s = address // Kafka takes SASL_SSL://host:port too
		}
		host, port, ok := cutPort(s)
		if !ok {
			return fmt.Sprintf("%q must be host:port", s)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return fmt.Sprintf("%q must be host:port with a port from 1 to 65535", s)
		}
		servers = append(servers, s)
	}
	if len(servers) == 0 {
		return "must name at least one host:port"
	}
	c.BootstrapServers = servers
	return ""
}

func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || (strings.Contains(s[:i], ":") && !strings.HasPrefix(s, "[")) {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func setAcks(c *ClientConfig, v string) string {
	switch strings.ToLower(v) {
	case "all", "-1":
		c.Producer.Acks = "all"
	case "1", "0":
		c.Producer.Acks = v
	default:
		return "must be all, -1, 1 or 0"
	}
	return ""
}

func setMaxRequest(c *ClientConfig, v string) string {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 512 || n > 1<<30 {
		return "must be a whole number of bytes from 512 to 1073741824"
	}
	c.Producer.MaxRequestBytes = int(n)
	return ""
}

func setBufferMemory(c *ClientConfig, v string) string {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1024 {
		return "must be a whole number of bytes, at least 1024"
	}
	c.Producer.BufferBytes = n
	c.Producer.BufferRecords = bufferRecords(n)
	return ""
}

// setDeliveryTimeout reads Kafka Connect's default, the largest int, as "no limit".
func setDeliveryTimeout(c *ClientConfig, v string) string {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return "must be a whole number of milliseconds, at least 0"
	}
	c.Producer.DeliveryTimeout = 0
	if n < math.MaxInt32 {
		c.Producer.DeliveryTimeout = max(time.Duration(n)*time.Millisecond, time.Millisecond)
	}
	return ""
}

// assignors maps the Java class names and their protocol names.
var assignors = map[string]string{
	"range": "range", "org.apache.kafka.clients.consumer.rangeassignor": "range",
	"roundrobin": "roundrobin", "org.apache.kafka.clients.consumer.roundrobinassignor": "roundrobin",
	"sticky": "sticky", "org.apache.kafka.clients.consumer.stickyassignor": "sticky",
	"cooperative-sticky": "cooperative-sticky", "org.apache.kafka.clients.consumer.cooperativestickyassignor": "cooperative-sticky",
}

func setAssignmentStrategies(c *ClientConfig, v string) string {
	var names []string
	for s := range strings.SplitSeq(v, ",") {
		name, ok := assignors[strings.ToLower(strings.TrimSpace(s))]
		if !ok {
			return "must list Kafka's RangeAssignor, RoundRobinAssignor, StickyAssignor or CooperativeStickyAssignor"
		}
		names = append(names, name)
	}
	c.Consumer.AssignmentStrategies = names
	return ""
}
