package registry

import "github.com/tailrace/tailrace/host/config"

const (
	groupRegistry = "Schema Registry"
	groupAccess   = "Schema Registry Access"
)

// Keys are the options that all converters with a schema registry share.
func Keys() []config.Key {
	const strategies = "TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy, with or without its package."
	list := []config.Key{
		{Name: "schema.registry.url", Type: config.List, Default: config.Required(), Importance: config.High, Documentation: "URLs of the schema registry, separated by commas. They are tried in turn."},
		{Name: "auto.register.schemas", Type: config.Boolean, Default: config.Text("true"), Importance: config.Medium, Documentation: "Whether schemas of values are registered. Otherwise they must be there."},
		{Name: "use.latest.version", Type: config.Boolean, Default: config.Text("false"), Importance: config.Low, Documentation: "Without auto.register.schemas: whether values are written with the newest schema of their subject."},
		{Name: "latest.compatibility.strict", Type: config.Boolean, Default: config.Text("true"), Importance: config.Low, Documentation: "Whether that schema must be compatible with the value's own."},
		{Name: "use.schema.id", Type: config.Int, Default: config.Text("-1"), Importance: config.Low, Documentation: "Without auto.register.schemas: the id of the schema that values are written with; -1 for none."},
		{Name: "id.compatibility.strict", Type: config.Boolean, Default: config.Text("true"), Importance: config.Low, Documentation: "Whether that schema must be compatible with the value's own."},
		{Name: "normalize.schemas", Type: config.Boolean, Default: config.Text("false"), Importance: config.Low, Documentation: "Whether the registry brings schemas into one form before it compares them."},
		{Name: "key.subject.name.strategy", Type: config.Class, Default: config.Text("io.confluent.kafka.serializers.subject.TopicNameStrategy"), Importance: config.Medium, Documentation: "How the subject of a key is named: " + strategies},
		{Name: "value.subject.name.strategy", Type: config.Class, Default: config.Text("io.confluent.kafka.serializers.subject.TopicNameStrategy"), Importance: config.Medium, Documentation: "How the subject of a value is named: " + strategies},
		{Name: "max.schemas.per.subject", Type: config.Int, Default: config.Text("1000"), Importance: config.Low, Documentation: "How many answers of the registry are remembered."},
		{Name: "latest.cache.ttl.sec", Type: config.Int, Default: config.Text("-1"), Importance: config.Low, Documentation: "Seconds for which the newest schema of a subject is remembered; -1 for ever."},
		{Name: "max.retries", Type: config.Int, Default: config.Text("3"), Importance: config.Low, Documentation: "How often a request that failed for a while is tried again."},
		{Name: "retries.wait.ms", Type: config.Int, Default: config.Text("1000"), Importance: config.Low, Documentation: "Milliseconds before the first further try; they double."},
		{Name: "retries.max.wait.ms", Type: config.Int, Default: config.Text("20000"), Importance: config.Low, Documentation: "The longest wait in milliseconds."},
		{Name: "http.read.timeout.ms", Type: config.Int, Default: config.Text("30000"), Importance: config.Low, Documentation: "Milliseconds that one request may take."},
	}
	access := []config.Key{
		{Name: "basic.auth.credentials.source", Type: config.String, Default: config.Text("URL"), Importance: config.Medium, Documentation: "Where user and password come from: URL, USER_INFO or SASL_INHERIT."},
		{Name: "basic.auth.user.info", Type: config.Password, Default: config.Text(""), Importance: config.Medium, Documentation: "user:password, with USER_INFO."},
		{Name: "bearer.auth.credentials.source", Type: config.String, Default: config.Null(), Importance: config.Medium, Documentation: "Where a bearer token comes from: STATIC_TOKEN; unset for none."},
		{Name: "bearer.auth.token", Type: config.Password, Default: config.Null(), Importance: config.Medium, Documentation: "The token, with STATIC_TOKEN."},
		{Name: "proxy.host", Type: config.String, Default: config.Text(""), Importance: config.Low, Documentation: "The host of an HTTP proxy."},
		{Name: "proxy.port", Type: config.Int, Default: config.Text("-1"), Importance: config.Low, Documentation: "Its port."},
	}
	for i := range list {
		list[i].Group, list[i].Order, list[i].Width = groupRegistry, i, config.WidthMedium
	}
	for i := range access {
		access[i].Group, access[i].Order, access[i].Width = groupAccess, i, config.WidthMedium
	}
	return append(list, access...)
}
