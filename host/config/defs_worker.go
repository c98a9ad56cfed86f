package config

// workerKeysBeforeTLS, tlsKeys and workerKeysAfterTLS are together the keys of every
// worker, in the order of Kafka Connect 4.1.0 (reference section 2.1).
var workerKeysBeforeTLS = []Key{
	{
		Name: "bootstrap.servers", Type: List, Default: Text("localhost:9092"), Importance: High,
		Documentation: "Addresses (host:port) of brokers of the Kafka cluster that the worker uses, and of every connector that names no other.",
	},
	{
		Name: "client.dns.lookup", Type: String, Default: Text("use_all_dns_ips"), Importance: Medium, Validator: OneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"),
		Documentation: "Whether a client tries all addresses of a broker name, or resolves bootstrap names to canonical names first.",
	},
	{
		Name: "key.converter", Type: Class, Default: Required(), Importance: High,
		Documentation: "Converter of record keys for connectors that name none. Its options start with key.converter.",
	},
	{
		Name: "key.converter.plugin.version", Type: String, Default: Null(), Importance: Low,
		Documentation: "Version, or range of versions, of the key converter.",
	},
	{
		Name: "value.converter", Type: Class, Default: Required(), Importance: High,
		Documentation: "Converter of record values for connectors that name none. Its options start with value.converter.",
	},
	{
		Name: "value.converter.plugin.version", Type: String, Default: Null(), Importance: Low,
		Documentation: "Version, or range of versions, of the value converter.",
	},
	{
		Name: "task.shutdown.graceful.timeout.ms", Type: Long, Default: Text("5000"), Importance: Low,
		Documentation: "Milliseconds that all tasks being stopped together have to finish their work.",
	},
	{
		Name: "offset.flush.interval.ms", Type: Long, Default: Text("60000"), Importance: Low,
		Documentation: "Milliseconds between two commits of a task.",
	},
	{
		Name: "offset.flush.timeout.ms", Type: Long, Default: Text("5000"), Importance: Low,
		Documentation: "Milliseconds to wait until a commit is written before it counts as failed and is tried again later.",
	},
	{
		Name: "plugin.path", Type: List, Default: Null(), Importance: Low,
		Documentation: "Folders that hold plugins, separated by commas.",
	},
	{
		Name: "plugin.discovery", Type: String, Default: Text("hybrid_warn"), Importance: Low, Validator: OneOfFold("ONLY_SCAN", "SERVICE_LOAD", "HYBRID_WARN", "HYBRID_FAIL"),
		Documentation: "How Java plugins are searched. Tailrace reads what a plugin describes and ignores this.",
	},
	{
		Name: "metrics.sample.window.ms", Type: Long, Default: Text("30000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Milliseconds over which a metric sample is computed.",
	},
	{
		Name: "metrics.num.samples", Type: Int, Default: Text("2"), Importance: Low, Validator: AtLeast(1),
		Documentation: "Number of samples kept for a metric.",
	},
	{
		Name: "metrics.recording.level", Type: String, Default: Text("INFO"), Importance: Low, Validator: OneOf("INFO", "DEBUG"),
		Documentation: "Most detailed level of metrics to record.",
	},
	{
		Name: "metric.reporters", Type: List, Default: Text("org.apache.kafka.common.metrics.JmxReporter"), Importance: Low,
		Documentation: "Java classes that report metrics. Tailrace exposes metrics by itself and ignores them.",
	},
	{
		Name: "header.converter", Type: Class, Default: Text("org.apache.kafka.connect.storage.SimpleHeaderConverter"), Importance: Low,
		Documentation: "Converter of record headers for connectors that name none. Its options start with header.converter.",
	},
	{
		Name: "header.converter.plugin.version", Type: String, Default: Null(), Importance: Low,
		Documentation: "Version, or range of versions, of the header converter.",
	},
	{
		Name: "config.providers", Type: List, Default: Text(""), Importance: Low,
		Documentation: "Names of the providers that resolve ${name:path:key} references in settings.",
	},
	{
		Name: "connector.client.config.override.policy", Type: String, Default: Text("All"), Importance: Medium,
		Documentation: "Which client settings a connector may override: All, None, Principal, or Allowlist.",
	},
	{
		Name: "topic.creation.enable", Type: Boolean, Default: Text("true"), Importance: Low,
		Documentation: "Whether the worker creates the topics of source connectors that have topic.creation settings.",
	},
}

// workerKeysAfterTLS follow the TLS keys.
var workerKeysAfterTLS = []Key{
	{
		Name: "topic.tracking.enable", Type: Boolean, Default: Text("true"), Importance: Low,
		Documentation: "Whether the topics that a connector uses are recorded.",
	},
	{
		Name: "topic.tracking.allow.reset", Type: Boolean, Default: Text("true"), Importance: Low,
		Documentation: "Whether the recorded topics of a connector may be cleared over REST.",
	},
	{
		Name: "listeners", Type: List, Default: Text("http://:8083"), Importance: Low, Validator: listenerURLs,
		Documentation: "Addresses of the REST API: http or https URLs, separated by commas. An empty host means every interface.",
	},
	{
		Name: "rest.advertised.host.name", Type: String, Default: Null(), Importance: Low,
		Documentation: "Host under which other workers reach the REST API of this one.",
	},
	{
		Name: "rest.advertised.port", Type: Int, Default: Null(), Importance: Low,
		Documentation: "Port under which other workers reach the REST API of this one.",
	},
	{
		Name: "rest.advertised.listener", Type: String, Default: Null(), Importance: Low,
		Documentation: "Listener (http or https) that other workers use.",
	},
	{
		Name: "access.control.allow.origin", Type: String, Default: Text(""), Importance: Low,
		Documentation: "Value of the Access-Control-Allow-Origin header; empty sends none.",
	},
	{
		Name: "access.control.allow.methods", Type: String, Default: Text(""), Importance: Low,
		Documentation: "Methods allowed to other origins; empty means GET, POST and HEAD.",
	},
	{
		Name: "response.http.headers.config", Type: String, Default: Text(""), Importance: Low, Validator: headerRules,
		Documentation: "Headers added to every answer of the REST API.",
	},
	{
		Name: "ssl.client.auth", Type: String, Default: Text("none"), Importance: Low, Validator: OneOf("required", "requested", "none"),
		Documentation: "Whether clients of an https listener must show a certificate: required, requested or none.",
	},
	{
		Name: "rest.extension.classes", Type: List, Default: Text(""), Importance: Low,
		Documentation: "Java classes that extend the REST API; they cannot run here.",
	},
	{
		Name: "admin.listeners", Type: List, Default: Null(), Importance: Low, Validator: listenerURLs,
		Documentation: "Addresses of the administrative part of the REST API; unset means the main listeners, empty means nowhere.",
	},
}

// standaloneKeys exist in a standalone worker only (reference section 2.3).
var standaloneKeys = []Key{
	{
		Name: "offset.storage.file.filename", Type: String, Default: Required(), Importance: High,
		Documentation: "File that keeps source offsets.",
	},
}
