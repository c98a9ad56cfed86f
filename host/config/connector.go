package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is the direction of a connector.
type Kind string

// The kinds of connectors, as the REST API names them.
const (
	Source Kind = "source"
	Sink   Kind = "sink"
)

// Connector is the typed view of a connector's configuration. It is immutable.
type Connector struct {
	Name            string
	Kind            Kind
	Class           string
	PluginVersion   string // "" means the newest
	TasksMax        int
	TasksMaxEnforce bool

	KeyConverter    Converter
	ValueConverter  Converter
	HeaderConverter Converter

	Transforms []Transform // in the order in which they apply
	Predicates map[string]Predicate

	// RestartOnReload is config.action.reload=restart.
	RestartOnReload bool
	Errors          ErrorHandling

	// SourceSettings are set for a source, SinkSettings for a sink; the other is nil.
	Source *SourceSettings
	Sink   *SinkSettings

	// Client settings without their prefix; all are allowed by the worker's policy.
	ProducerOverrides map[string]string
	ConsumerOverrides map[string]string
	AdminOverrides    map[string]string

	Process Process
	// TaskCreditBytes is how much unacknowledged data one task may hold (I-4).
	TaskCreditBytes int64

	// Resolution holds the settings as given and with references resolved.
	Resolution Resolution
	Warnings   []Warning
}

// Transform is one entry of transforms.
type Transform struct {
	Alias         string
	Class         string
	PluginVersion string
	Predicate     string // alias; "" for none
	Negate        bool
	Config        map[string]string // options without prefix
}

// Predicate is one entry of predicates.
type Predicate struct {
	Alias         string
	Class         string
	PluginVersion string
	Config        map[string]string // options without prefix
}

// ErrorHandling are the errors. settings (KIP-298).
type ErrorHandling struct {
	RetryTimeout       time.Duration // 0 never retries, below 0 retries for ever
	RetryDelayMax      time.Duration
	TolerateAll        bool
	LogEnable          bool
	LogIncludeMessages bool
	// MaxRate is the share of bad records among the last RateRecords ones above
	// which the task fails although TolerateAll; RateRecords is 0 for no limit.
	MaxRate     float64
	RateRecords int
	// DLQ is nil when there is no dead letter topic.
	DLQ *DeadLetterQueue
}

// DeadLetterQueue says where bad records go.
type DeadLetterQueue struct {
	Topic             string
	ReplicationFactor int16
	ContextHeaders    bool
}

// SourceSettings are the settings of sources only.
type SourceSettings struct {
	// TopicCreation is nil when topics are left to the broker.
	TopicCreation       *TopicCreation
	ExactlyOnceRequired bool
	TransactionBoundary string // poll, interval or connector
	BoundaryInterval    time.Duration
	OffsetsTopic        string // "" means the worker's
	SchemaEvolution     string // evolve, strict or ignore
}

// SinkSettings are the settings of sinks only. Exactly one of the two is set.
type SinkSettings struct {
	Topics      []string
	TopicsRegex *Regex
}

// ParseConnector reads a connector's configuration: it resolves references with the
// worker's providers and checks everything that does not need the plugin. The error
// names every key that is wrong, one per line, without secrets.
func ParseConnector(kind Kind, props map[string]string, w *Worker) (*Connector, error) {
	resolution := w.Providers.Resolve(props)
	c := &Connector{Kind: kind, Resolution: resolution}
	if err := c.read(resolution.Props, w); err != nil {
		return nil, c.Masker(w).Error(fmt.Errorf("the connector configuration is invalid:\n%w", err))
	}
	return c, nil
}

// Props are the settings with references resolved, as the plugin gets them. They
// hold secrets; show them only through [Connector.Masker].
func (c *Connector) Props() map[string]string { return c.Resolution.Props }

// Masker hides the secrets of the connector and of the worker (I-9). defs are the
// definitions of the plugins involved, which tell which keys are passwords.
func (c *Connector) Masker(w *Worker, defs ...*Def) *Masker {
	m := c.Resolution.Masker(append(defs, connectorDef(c.Kind))...)
	if w != nil {
		m.AddSecrets(w.Secrets...)
		m.AddProps(w.Props)
	}
	for _, name := range sortedKeys(c.Process.Env) {
		if isSecretKey(name, nil) {
			m.AddSecrets(c.Process.Env[name])
		}
	}
	return m
}

func connectorDef(kind Kind) *Def {
	if kind == Sink {
		return SinkConnectorDef()
	}
	return SourceConnectorDef()
}

func (c *Connector) read(props map[string]string, w *Worker) error {
	def := connectorDef(c.Kind)
	v, err := def.Parse(props)
	errs := []error{err}
	c.Name, c.Class = v.Text("name"), v.Text("connector.class")
	c.PluginVersion = v.Text("connector.plugin.version")
	c.TasksMax, c.TasksMaxEnforce = int(v.Int("tasks.max")), v.Bool("tasks.max.enforce")
	c.KeyConverter = chooseConverter(props, w, KeyRole)
	c.ValueConverter = chooseConverter(props, w, ValueRole)
	c.HeaderConverter = chooseConverter(props, w, HeaderRole)
	c.RestartOnReload = v.Text("config.action.reload") == "restart"
	c.Errors = ErrorHandling{
		RetryTimeout:       millis(v, "errors.retry.timeout"),
		RetryDelayMax:      millis(v, "errors.retry.delay.max.ms"),
		TolerateAll:        v.Text("errors.tolerance") == "all",
		LogEnable:          v.Bool("errors.log.enable"),
		LogIncludeMessages: v.Bool("errors.log.include.messages"),
	}
	errs = append(errs, c.readTransforms(props, v), c.readOverrides(props, w), c.readProcess(props))
	if c.Kind == Sink {
		errs = append(errs, c.readSink(v))
	} else {
		errs = append(errs, c.readSource(props, v, w))
	}
	errs = append(errs, c.readExtensions(props))
	for _, u := range c.Resolution.Unresolved {
		if u.KnownProvider {
			c.Warnings = append(c.Warnings, Warning{u.Key, fmt.Sprintf("the reference %s has no value and is left as it is; check the provider's path and key", u.Reference)})
		}
	}
	for _, key := range sortedKeys(props) {
		known := strings.HasPrefix(key, ProcessEnvPrefix) || ProcessDef().Key(key) != nil || ExtensionDef(c.Kind).Key(key) != nil
		if near := Nearest(key, []string{ProcessIsolationKey, ProcessMemoryLimitKey, ProcessCPULimitKey, TaskCreditBytesKey, MaxErrorRateKey, SchemaEvolutionKey}); near != "" && !known {
			c.Warnings = append(c.Warnings, Warning{key, fmt.Sprintf("is not a setting of the worker; did you mean %s?", near)})
		}
	}
	return errors.Join(errs...)
}

func (c *Connector) readSink(v Values) error {
	s := &SinkSettings{Topics: nonBlank(v.List("topics"))}
	c.Sink = s
	pattern := v.Text("topics.regex")
	switch {
	case len(s.Topics) > 0 && pattern != "":
		return kafkaError(bothTopics)
	case len(s.Topics) == 0 && pattern == "":
		return kafkaError(noTopics)
	case pattern != "":
		// A bad one has been reported by the definition's validator.
		s.TopicsRegex, _ = CompileRegex(pattern)
	}
	if c.Errors.DLQ = readDeadLetters(v); c.Errors.DLQ != nil {
		for _, conflict := range dlqConflicts(c.Errors.DLQ.Topic, s.Topics, s.TopicsRegex) {
			return kafkaError(conflict.text)
		}
	}
	return nil
}

// readDeadLetters gives nil without a topic.
func readDeadLetters(v Values) *DeadLetterQueue {
	topic := v.Text(deadLetterTopicKey)
	if topic == "" {
		return nil
	}
	return &DeadLetterQueue{
		Topic:             topic,
		ReplicationFactor: int16(v.Int(deadLetterReplicationKey)),
		ContextHeaders:    v.Bool(deadLetterHeadersKey),
	}
}

// readExtensions reads what Kafka Connect does not have.
func (c *Connector) readExtensions(props map[string]string) error {
	v, err := ExtensionDef(c.Kind).Parse(props)
	if rate, ok := v[MaxErrorRateKey].(float64); ok {
		c.Errors.MaxRate, c.Errors.RateRecords = rate, int(v.Int(ErrorRateRecordsKey))
	}
	if c.Kind == Source {
		c.Errors.DLQ = readDeadLetters(v)
		c.Source.SchemaEvolution = v.Text(SchemaEvolutionKey)
	}
	return err
}

func (c *Connector) readSource(props map[string]string, v Values, w *Worker) error {
	creation, err := parseTopicCreation(props, w.TopicCreationEnable)
	c.Source = &SourceSettings{
		TopicCreation:       creation,
		ExactlyOnceRequired: strings.EqualFold(v.Text("exactly.once.support"), "required"),
		TransactionBoundary: strings.ToLower(v.Text("transaction.boundary")),
		BoundaryInterval:    w.OffsetFlushInterval,
		OffsetsTopic:        v.Text("offsets.storage.topic"),
	}
	if !v.IsNull("transaction.boundary.interval.ms") {
		c.Source.BoundaryInterval = millis(v, "transaction.boundary.interval.ms")
	}
	return err
}

// ParseTransforms reads the transforms and predicates of a configuration whose references
// are resolved, and checks how they refer to each other.
func ParseTransforms(props map[string]string) ([]Transform, map[string]Predicate, error) {
	c := &Connector{}
	v, err := NewDef(*commonConnectorDef().Key("transforms"), *commonConnectorDef().Key("predicates")).Parse(props)
	err = errors.Join(err, c.readTransforms(props, v))
	return c.Transforms, c.Predicates, err
}

func (c *Connector) readTransforms(props map[string]string, v Values) error {
	var errs []error
	c.Predicates = map[string]Predicate{}
	for _, alias := range v.List("predicates") {
		options := withPrefix(props, "predicates."+alias+".")
		p := Predicate{Alias: alias, Class: javaTrim(options["type"]), PluginVersion: options["plugin.version"], Config: options}
		if p.Class == "" {
			errs = append(errs, &MissingError{"predicates." + alias + ".type"})
		}
		dropKeys(options, "type", "plugin.version")
		c.Predicates[alias] = p
	}
	for _, alias := range v.List("transforms") {
		prefix := "transforms." + alias + "."
		options := withPrefix(props, prefix)
		t := Transform{
			Alias: alias, Class: javaTrim(options["type"]), PluginVersion: options["plugin.version"],
			Predicate: javaTrim(options["predicate"]), Config: options,
		}
		if t.Class == "" {
			errs = append(errs, &MissingError{prefix + "type"})
		}
		if text, ok := options["negate"]; ok {
			negate, err := ParseText(prefix+"negate", text, Boolean)
			errs = append(errs, err)
			t.Negate, _ = negate.(bool)
		}
		if _, known := c.Predicates[t.Predicate]; t.Predicate != "" && !known {
			errs = append(errs, Invalid(prefix+"predicate", t.Predicate, "no predicate of that name is listed in predicates"))
		}
		dropKeys(options, "type", "plugin.version", "predicate", "negate")
		c.Transforms = append(c.Transforms, t)
	}
	return errors.Join(errs...)
}

func (c *Connector) readOverrides(props map[string]string, w *Worker) error {
	var errs []error
	for kind, into := range map[ClientKind]*map[string]string{
		ProducerClient: &c.ProducerOverrides, ConsumerClient: &c.ConsumerOverrides, AdminClient: &c.AdminOverrides,
	} {
		*into = overrides(props, kind)
		if !clientInUse(kind, c.Kind, props) {
			continue
		}
		for _, key := range sortedKeys(*into) {
			if err := w.OverridePolicy.Check(key); err != nil {
				errs = append(errs, fmt.Errorf("%s%s: %w", kind.OverridePrefix(), key, err))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// clientInUse reports whether a connector has that kind of client at all. A sink
// has a producer and an admin client only for its dead letters.
func clientInUse(client ClientKind, kind Kind, props map[string]string) bool {
	switch client {
	case ConsumerClient:
		return kind == Sink
	case ProducerClient:
		return kind == Source || javaTrim(props["errors.deadletterqueue.topic.name"]) != ""
	case AdminClient:
		if kind == Source {
			return len(withPrefix(props, "topic.creation.")) > 0 // as in Kafka Connect: it creates topics
		}
		return javaTrim(props["errors.deadletterqueue.topic.name"]) != ""
	}
	return false
}

func dropKeys(props map[string]string, keys ...string) {
	for _, k := range keys {
		delete(props, k)
	}
}

func nonBlank(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

// Kafka's texts about the topics of a sink.
const (
	noTopics   = "Must configure one of topics or topics.regex"
	bothTopics = "topics and topics.regex are mutually exclusive options, but both are set."
)

// keyError is an error of one key.
type keyError struct{ key, text string }

// dlqConflicts returns Kafka's texts for a dead letter topic that the sink itself
// would read, each with the key that it belongs to.
func dlqConflicts(dlq string, topics []string, pattern *Regex) (out []keyError) {
	if slices.Contains(topics, dlq) {
		out = append(out, keyError{"topics", fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector", dlq, strings.Join(topics, ", "))})
	}
	if pattern != nil && pattern.Matches(dlq) {
		out = append(out, keyError{"topics.regex", fmt.Sprintf("The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector", dlq, pattern)})
	}
	return out
}
