package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Mode is the way a worker runs.
type Mode string

// The modes of a worker. Dev is a standalone worker with an embedded broker, for
// which nothing is required.
const (
	Standalone  Mode = "standalone"
	Distributed Mode = "distributed"
	Dev         Mode = "dev"
)

// Worker is the configuration of a worker, read once at start and never changed.
type Worker struct {
	Mode Mode
	// Props are all settings with references resolved. They hold secrets; show
	// them only through a [Masker].
	Props map[string]string
	// Secrets are the values that came from config providers.
	Secrets []string

	BootstrapServers []string
	ClientID         string

	KeyConverter    Converter
	ValueConverter  Converter
	HeaderConverter Converter

	OffsetFlushInterval time.Duration
	OffsetFlushTimeout  time.Duration
	TaskShutdownTimeout time.Duration
	// OffsetStorageFile is the offsets file; "" in a distributed worker.
	OffsetStorageFile string
	// PluginPath are absolute folders.
	PluginPath []string

	REST REST

	TopicCreationEnable     bool
	TopicTrackingEnable     bool
	TopicTrackingAllowReset bool

	OverridePolicy OverridePolicy
	Providers      *Providers

	// Cluster is nil unless the mode is Distributed.
	Cluster *Cluster
	Metrics Metrics
}

// REST are the settings of the REST API.
type REST struct {
	Listeners []Listener
	// AdminListeners are nil when the key is unset (the admin part is served on
	// Listeners) and empty when it is set to nothing (served nowhere).
	AdminListeners     []Listener
	AdvertisedHost     string // "" when unset
	AdvertisedPort     int    // 0 when unset
	AdvertisedListener string // http, https or ""
	AllowOrigin        string
	AllowMethods       []string
	ResponseHeaders    []HeaderRule
	// TLS and AdminTLS are the ssl.* settings of https listeners, without prefix,
	// defaults filled in. listeners.https.ssl.* replaces ssl.* as a whole.
	TLS      map[string]string
	AdminTLS map[string]string

	Auth       Auth
	AuditFile  string // "" for the worker's log
	AuditReads bool
	Limits     Limits
}

// Cluster are the settings of a distributed worker.
type Cluster struct {
	GroupID string
	// InstanceID is group.instance.id: a name that this worker keeps over restarts; "" when unset.
	InstanceID        string
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
	RebalanceTimeout  time.Duration
	WorkerSyncTimeout time.Duration
	// ScheduledRebalanceMaxWait is 0 unless the user has set scheduled.rebalance.max.delay.ms: when a worker is gone, its
	// work moves at once. Kafka Connect's default is five minutes.
	ScheduledRebalanceMaxWait time.Duration
	Protocol                  string // eager, compatible or sessioned
	ExactlyOnceSource         string // disabled, preparing or enabled
	ConfigTopic               InternalTopic
	OffsetTopic               InternalTopic
	StatusTopic               InternalTopic
	KeyTTL                    time.Duration
	KeyGenerationAlgorithm    string
	KeySize                   int // 0 when unset
	SignatureAlgorithm        string
	VerificationAlgorithms    []string
}

// InternalTopic is one of the three topics that a cluster keeps its state in.
type InternalTopic struct {
	Name              string
	Partitions        int32 // -1 means the broker's default
	ReplicationFactor int16 // -1 means the broker's default
	// Configs are further topic settings used at creation (KIP-605).
	Configs map[string]string
}

// Metrics are the settings of metrics.
type Metrics struct {
	SampleWindow   time.Duration
	NumSamples     int
	RecordingLevel string
	// Labels are the metrics.context. settings without their prefix.
	Labels map[string]string
}

// Warning is something about a configuration that is worth a log line but does not
// stop the worker.
type Warning struct {
	Key     string
	Message string
}

func (w Warning) String() string { return w.Key + ": " + w.Message }

// devDefaults are what a development worker has without any file.
var devDefaults = map[string]string{
	"key.converter":                  "org.apache.kafka.connect.storage.StringConverter",
	"value.converter":                "org.apache.kafka.connect.json.JsonConverter",
	"value.converter.schemas.enable": "false",
	"offset.storage.file.filename":   "offsets",
	"offset.flush.interval.ms":       "1000",
}

// ParseWorker reads the settings of a worker. The error names every key that is
// wrong, one per line. Relative folders of plugin.path and a relative offsets file
// are taken from the working directory.
func ParseWorker(mode Mode, given map[string]string) (*Worker, []Warning, error) {
	props := make(map[string]string, len(given))
	if mode == Dev {
		for k, v := range devDefaults {
			// A converter that the user names has the user's options only.
			if k != "value.converter.schemas.enable" || given["value.converter"] == "" {
				props[k] = v
			}
		}
	}
	for k, v := range given {
		props[k] = v
	}
	providers, err := NewProviders(props)
	if err != nil {
		return nil, nil, err
	}
	resolution := providers.Resolve(props)
	props = resolution.Props

	def := StandaloneWorkerDef()
	if mode == Distributed {
		def = DistributedWorkerDef()
	}
	v, err := def.Parse(props)
	if err != nil {
		return nil, nil, fmt.Errorf("the worker configuration is invalid:\n%s", resolution.Masker().Text(err.Error()))
	}
	w := &Worker{Mode: mode, Props: props, Secrets: resolution.Secrets, Providers: providers}
	warnings := w.warnings(def)
	errs := []error{w.readCommon(v), w.readREST(v)}
	if mode == Distributed {
		errs = append(errs, w.readCluster(v))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, warnings, fmt.Errorf("the worker configuration is invalid:\n%s", resolution.Masker().Text(err.Error()))
	}
	return w, warnings, nil
}

func (w *Worker) readCommon(v Values) error {
	var errs []error
	w.BootstrapServers = v.List("bootstrap.servers")
	if err := checkBootstrap("bootstrap.servers", w.BootstrapServers); err != nil {
		errs = append(errs, err)
	}
	w.ClientID = w.Props["client.id"]
	w.KeyConverter = workerConverter(w.Props, v, KeyRole)
	w.ValueConverter = workerConverter(w.Props, v, ValueRole)
	w.HeaderConverter = workerConverter(w.Props, v, HeaderRole)
	for _, c := range []Converter{w.KeyConverter, w.ValueConverter, w.HeaderConverter} {
		if c.Class == "" {
			errs = append(errs, Invalid(string(c.Role)+".converter", "", "String must be non-empty"))
		}
	}
	w.OffsetFlushInterval = millis(v, "offset.flush.interval.ms")
	w.OffsetFlushTimeout = millis(v, "offset.flush.timeout.ms")
	w.TaskShutdownTimeout = millis(v, "task.shutdown.graceful.timeout.ms")
	for _, key := range []string{"offset.flush.interval.ms", "offset.flush.timeout.ms", "task.shutdown.graceful.timeout.ms"} {
		if n := v.Int(key); n < 0 || n == 0 && key == "offset.flush.interval.ms" {
			errs = append(errs, Invalid(key, n, "Value must be a positive number of milliseconds"))
		}
	}
	if w.Mode != Distributed {
		w.OffsetStorageFile = v.Text("offset.storage.file.filename")
		if w.OffsetStorageFile == "" {
			errs = append(errs, Invalid("offset.storage.file.filename", "", "String must be non-empty"))
		}
	}
	for _, dir := range v.List("plugin.path") {
		if dir == "" {
			continue
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			errs = append(errs, Invalid("plugin.path", dir, err.Error()))
			continue
		}
		w.PluginPath = append(w.PluginPath, abs)
	}
	w.TopicCreationEnable = v.Bool("topic.creation.enable")
	w.TopicTrackingEnable = v.Bool("topic.tracking.enable")
	w.TopicTrackingAllowReset = v.Bool("topic.tracking.allow.reset")
	policy, err := ParseOverridePolicy(v.Text("connector.client.config.override.policy"), v.List(OverrideAllowlistKey))
	if err != nil {
		errs = append(errs, err)
	}
	w.OverridePolicy = policy
	w.Metrics = Metrics{
		SampleWindow:   millis(v, "metrics.sample.window.ms"),
		NumSamples:     int(v.Int("metrics.num.samples")),
		RecordingLevel: v.Text("metrics.recording.level"),
		Labels:         withPrefix(w.Props, "metrics.context."),
	}
	return errors.Join(errs...)
}

func (w *Worker) readREST(v Values) error {
	r := &w.REST
	r.Listeners = parseListeners(v.List("listeners"))
	if len(r.Listeners) == 0 {
		return Invalid("listeners", v.List("listeners"), "at least one address is needed, such as http://localhost:8083")
	}
	if !v.IsNull("admin.listeners") {
		r.AdminListeners = parseListeners(v.List("admin.listeners"))
	}
	r.AdvertisedHost = v.Text("rest.advertised.host.name")
	r.AdvertisedPort = int(v.Int("rest.advertised.port"))
	if r.AdvertisedPort < 0 || r.AdvertisedPort > 65535 {
		return Invalid("rest.advertised.port", r.AdvertisedPort, "Value must be a port between 1 and 65535")
	}
	r.AdvertisedListener = strings.ToLower(v.Text("rest.advertised.listener"))
	switch r.AdvertisedListener {
	case "", "http", "https":
	default:
		return Invalid("rest.advertised.listener", r.AdvertisedListener, "String must be one of: http, https")
	}
	r.AllowOrigin = v.Text("access.control.allow.origin")
	if methods := v.Text("access.control.allow.methods"); methods != "" {
		r.AllowMethods = listSeparator.Split(methods, -1)
	}
	rules, err := ParseHeaderRules(v.Text("response.http.headers.config"))
	if err != nil {
		return Invalid("response.http.headers.config", v.Text("response.http.headers.config"), err.Error())
	}
	r.ResponseHeaders = rules
	r.TLS = tlsSettings(w.Props, "listeners.https.")
	r.AdminTLS = tlsSettings(w.Props, "admin.listeners.https.")
	if err := w.readRESTSecurity(v); err != nil {
		return err
	}
	w.bindSafely()
	return nil
}

// bindSafely keeps a worker that nobody has given an address, and that lets everybody
// in, to its own machine. Kafka Connect would listen on every interface. Workers of
// a cluster must reach each other: they are left alone.
func (w *Worker) bindSafely() {
	if _, given := w.Props["listeners"]; !given && w.Mode == Standalone && !w.REST.Auth.Enabled() {
		for i := range w.REST.Listeners {
			w.REST.Listeners[i].Host = "localhost"
		}
	}
}

func (w *Worker) readCluster(v Values) error {
	topic := func(prefix string, partitions int64) InternalTopic {
		configs := withPrefix(w.Props, prefix)
		for _, own := range []string{"topic", "partitions", "replication.factor", "cleanup.policy"} {
			delete(configs, own)
		}
		return InternalTopic{
			Name: v.Text(prefix + "topic"), Partitions: int32(partitions),
			ReplicationFactor: int16(v.Int(prefix + "replication.factor")), Configs: configs,
		}
	}
	c := &Cluster{
		GroupID:                   v.Text("group.id"),
		InstanceID:                v.Text("group.instance.id"),
		SessionTimeout:            millis(v, "session.timeout.ms"),
		HeartbeatInterval:         millis(v, "heartbeat.interval.ms"),
		RebalanceTimeout:          millis(v, "rebalance.timeout.ms"),
		WorkerSyncTimeout:         millis(v, "worker.sync.timeout.ms"),
		ScheduledRebalanceMaxWait: millis(v, "scheduled.rebalance.max.delay.ms"),
		Protocol:                  v.Text("connect.protocol"),
		ExactlyOnceSource:         strings.ToLower(v.Text("exactly.once.source.support")),
		ConfigTopic:               topic("config.storage.", 1),
		OffsetTopic:               topic("offset.storage.", v.Int("offset.storage.partitions")),
		StatusTopic:               topic("status.storage.", v.Int("status.storage.partitions")),
		KeyTTL:                    millis(v, "inter.worker.key.ttl.ms"),
		KeyGenerationAlgorithm:    v.Text("inter.worker.key.generation.algorithm"),
		KeySize:                   int(v.Int("inter.worker.key.size")),
		SignatureAlgorithm:        v.Text("inter.worker.signature.algorithm"),
		VerificationAlgorithms:    v.List("inter.worker.verification.algorithms"),
	}
	w.Cluster = c
	if _, given := w.Props["scheduled.rebalance.max.delay.ms"]; !given {
		c.ScheduledRebalanceMaxWait = 0
	}
	var errs []error
	for _, key := range []string{"group.id", "config.storage.topic", "offset.storage.topic", "status.storage.topic"} {
		if v.Text(key) == "" {
			errs = append(errs, Invalid(key, "", "String must be non-empty"))
		}
	}
	if !slices.Contains(c.VerificationAlgorithms, c.SignatureAlgorithm) {
		errs = append(errs, Invalid("inter.worker.signature.algorithm", c.SignatureAlgorithm,
			"Signature algorithm must be present in inter.worker.verification.algorithms list"))
	}
	if c.ExactlyOnceSource != "disabled" && c.Protocol != "sessioned" {
		errs = append(errs, Invalid("connect.protocol", c.Protocol,
			"exactly.once.source.support needs the protocol sessioned"))
	}
	return errors.Join(errs...)
}

// ExactlyOnceSourceEnabled reports whether source tasks use transactions.
func (w *Worker) ExactlyOnceSourceEnabled() bool {
	return w.Cluster != nil && w.Cluster.ExactlyOnceSource == "enabled"
}

// ExactlyOncePrepared reports whether the cluster can have source tasks that use transactions, on this worker or on others:
// then its leader writes configurations in transactions, and readers skip what was not committed.
func (w *Worker) ExactlyOncePrepared() bool {
	return w.Cluster != nil && w.Cluster.ExactlyOnceSource != "disabled"
}

// GroupID is the worker group's name; "" for a standalone worker.
func (w *Worker) GroupID() string {
	if w.Cluster == nil {
		return ""
	}
	return w.Cluster.GroupID
}

// Masker hides the worker's own secrets: provider values and PASSWORD settings.
func (w *Worker) Masker() *Masker {
	m := NewMasker(w.Secrets...)
	m.AddProps(w.Props)
	return m
}

func parseListeners(texts []string) []Listener {
	listeners := []Listener{}
	for _, text := range texts {
		if l, err := ParseListener(text); err == nil { // the definition has checked them
			listeners = append(listeners, l)
		}
	}
	return listeners
}

// tlsSettings returns the ssl.* settings of a kind of listener: those with the
// prefix if there are any, otherwise the worker's own; all or nothing.
func tlsSettings(props map[string]string, prefix string) map[string]string {
	from := withPrefix(props, prefix)
	own := false
	for k := range from {
		own = own || strings.HasPrefix(k, "ssl.")
	}
	if !own {
		from = props
	}
	out := map[string]string{}
	for _, k := range append(slices.Clone(tlsKeys), *StandaloneWorkerDef().Key("ssl.client.auth")) {
		if text, ok := from[k.Name]; ok {
			out[k.Name] = text
		} else if text, ok := k.Default.Text(); ok {
			out[k.Name] = text
		}
	}
	return out
}

// checkBootstrap returns what is wrong with a list of brokers.
func checkBootstrap(key string, servers []string) error {
	if len(servers) == 0 || len(servers) == 1 && servers[0] == "" {
		return Invalid(key, servers, "No bootstrap servers; give host:port of at least one broker")
	}
	for _, server := range servers {
		if err := checkHostPort(server); err != nil {
			return Invalid(key, servers, err.Error())
		}
	}
	return nil
}

// millis returns a number of milliseconds as a duration, capped at what it can hold.
func millis(v Values, key string) time.Duration {
	return time.Duration(min(v.Int(key), int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
}

// withPrefix returns the settings that start with prefix, without it.
func withPrefix(props map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}
