package config

// Names of groups as the validate answer shows them.
const (
	groupCommon        = "Common"
	groupTransforms    = "Transforms"
	groupPredicates    = "Predicates"
	groupErrors        = "Error Handling"
	groupTopicCreation = "Topic Creation"
	groupExactlyOnce   = "Exactly Once Support"
	groupOffsetsTopic  = "offsets.topic"
	groupProcess       = "Process"
)

// connectorKeys are common to sources and sinks (reference section 2.4).
var connectorKeys = []Key{
	{
		Name: "name", Type: String, Importance: High, Group: groupCommon, Order: 1, Width: WidthMedium, DisplayName: "Connector name", Validator: ConnectorName,
		Documentation: "Name of the connector, unique in the cluster.",
	},
	{
		Name: "connector.class", Type: String, Importance: High, Group: groupCommon, Order: 2, Width: WidthLong, DisplayName: "Connector class",
		Documentation: "Plugin to run: its own name, its short alias, or the Java class that it stands in for.",
	},
	{
		Name: "connector.plugin.version", Type: String, Default: Null(), Importance: Medium, Group: groupCommon, Order: 3, Width: WidthMedium, DisplayName: "Connector version", Validator: versionRange,
		Documentation: "Version, or range of versions, of the plugin; unset means the newest.",
	},
	{
		Name: "tasks.max", Type: Int, Default: Text("1"), Importance: High, Group: groupCommon, Order: 4, Width: WidthShort, DisplayName: "Tasks max", Validator: AtLeast(1),
		Documentation: "Largest number of tasks of this connector.",
	},
	{
		Name: "tasks.max.enforce", Type: Boolean, Default: Text("true"), Importance: Low, Group: groupCommon, Order: 5, Width: WidthShort, DisplayName: "Enforce tasks max",
		Documentation: "Whether a connector that asks for more than tasks.max tasks fails; false only warns.",
	},
	{
		Name: "key.converter", Type: Class, Default: Null(), Importance: Low, Group: groupCommon, Order: 6, Width: WidthShort, DisplayName: "Key converter class",
		Documentation: "Converter of record keys. When it is named here, only key.converter. options of the connector apply.",
	},
	{
		Name: "key.converter.plugin.version", Type: String, Default: Null(), Importance: Low, Group: groupCommon, Order: 7, Width: WidthShort, DisplayName: "Key converter version", Validator: versionRange,
		Documentation: "Version, or range of versions, of the key converter.",
	},
	{
		Name: "value.converter", Type: Class, Default: Null(), Importance: Low, Group: groupCommon, Order: 8, Width: WidthShort, DisplayName: "Value converter class",
		Documentation: "Converter of record values. When it is named here, only value.converter. options of the connector apply.",
	},
	{
		Name: "value.converter.plugin.version", Type: String, Default: Null(), Importance: Low, Group: groupCommon, Order: 9, Width: WidthShort, DisplayName: "Value converter version", Validator: versionRange,
		Documentation: "Version, or range of versions, of the value converter.",
	},
	{
		Name: "header.converter", Type: Class, Default: Null(), Importance: Low, Group: groupCommon, Order: 10, Width: WidthShort, DisplayName: "Header converter class",
		Documentation: "Converter of record headers. When it is named here, only header.converter. options of the connector apply.",
	},
	{
		Name: "header.converter.plugin.version", Type: String, Default: Null(), Importance: Low, Group: groupCommon, Order: 11, Width: WidthShort, DisplayName: "Header converter version", Validator: versionRange,
		Documentation: "Version, or range of versions, of the header converter.",
	},
	{
		Name: "transforms", Type: List, Default: Text(""), Importance: Low, Group: groupTransforms, Order: 12, Width: WidthLong, DisplayName: "Transforms", Validator: uniqueAliases("transformation aliases"),
		Documentation: "Names of the transforms, in the order in which they apply. Each is described by transforms.NAME.type and its options.",
	},
	{
		Name: "predicates", Type: List, Default: Text(""), Importance: Low, Group: groupPredicates, Order: 13, Width: WidthLong, DisplayName: "Predicates", Validator: uniqueAliases("predicate aliases"),
		Documentation: "Names of the predicates that transforms may use. Each is described by predicates.NAME.type and its options.",
	},
	{
		Name: "config.action.reload", Type: String, Default: Text("restart"), Importance: Low, Group: groupCommon, Order: 14, Width: WidthMedium, DisplayName: "Reload Action", Validator: OneOf("none", "restart"),
		Documentation: "What to do when a value from a config provider expires: restart the connector, or nothing.",
	},
	{
		Name: "errors.retry.timeout", Type: Long, Default: Text("0"), Importance: Medium, Group: groupErrors, Order: 1, Width: WidthMedium, DisplayName: "Retry Timeout for Errors",
		Documentation: "Milliseconds for which a failed step on a record is tried again; 0 never, -1 for ever.",
	},
	{
		Name: "errors.retry.delay.max.ms", Type: Long, Default: Text("60000"), Importance: Medium, Group: groupErrors, Order: 2, Width: WidthMedium, DisplayName: "Maximum Delay Between Retries for Errors",
		Documentation: "Longest wait in milliseconds between two attempts.",
	},
	{
		Name: "errors.tolerance", Type: String, Default: Text("none"), Importance: Medium, Group: groupErrors, Order: 3, Width: WidthShort, DisplayName: "Error Tolerance", Validator: OneOf("none", "all"),
		Documentation: "none: the first bad record fails the task. all: bad records are skipped.",
	},
	{
		Name: "errors.log.enable", Type: Boolean, Default: Text("false"), Importance: Medium, Group: groupErrors, Order: 4, Width: WidthShort, DisplayName: "Log Errors",
		Documentation: "Whether each bad record is logged.",
	},
	{
		Name: "errors.log.include.messages", Type: Boolean, Default: Text("false"), Importance: Medium, Group: groupErrors, Order: 5, Width: WidthShort, DisplayName: "Log Error Details",
		Documentation: "Whether that log line says which record it was.",
	},
}

// sourceKeys exist for source connectors only (reference section 2.5).
var sourceKeys = []Key{
	{
		Name: "topic.creation.groups", Type: List, Default: Text(""), Importance: Low, Group: groupTopicCreation, Order: 1, Width: WidthLong, DisplayName: "Topic Creation Groups", Validator: uniqueAliases("topic creation groups"),
		Documentation: "Names of groups of new topics, besides the group default. Each is described by topic.creation.NAME. options.",
	},
	{
		Name: "exactly.once.support", Type: String, Default: Text("requested"), Importance: Medium, Group: groupExactlyOnce, Order: 2, Width: WidthShort, DisplayName: "Exactly once support", Validator: OneOfFold("REQUIRED", "REQUESTED"),
		Documentation: "required refuses a connector or worker that cannot deliver exactly once; requested does not check.",
	},
	{
		Name: "transaction.boundary", Type: String, Default: Text("poll"), Importance: Medium, Group: groupExactlyOnce, Order: 3, Width: WidthShort, DisplayName: "Transaction Boundary", Validator: OneOfFold("INTERVAL", "POLL", "CONNECTOR"),
		Documentation: "Where a transaction ends: after each batch (poll), after a time (interval), or where the connector says (connector).",
	},
	{
		Name: "transaction.boundary.interval.ms", Type: Long, Default: Null(), Importance: Low, Group: groupExactlyOnce, Order: 4, Width: WidthShort, DisplayName: "Transaction boundary interval", Validator: orNull(AtLeast(0)),
		Documentation: "Milliseconds of a transaction with boundary interval; unset means offset.flush.interval.ms of the worker.",
	},
	{
		Name: "offsets.storage.topic", Type: String, Default: Null(), Importance: Low, Group: groupOffsetsTopic, Order: 1, Width: WidthLong, DisplayName: "Offsets topic", Validator: NonEmpty,
		Documentation: "Own topic for the offsets of this connector; unset means the worker's.",
	},
}

// sinkKeys exist for sink connectors only (reference section 2.5).
var sinkKeys = []Key{
	{
		Name: "topics", Type: List, Default: Text(""), Importance: High, Group: groupCommon, Order: 4, Width: WidthLong, DisplayName: "Topics",
		Documentation: "Topics to read, separated by commas. Give either this or topics.regex.",
	},
	{
		Name: "topics.regex", Type: String, Default: Text(""), Importance: High, Group: groupCommon, Order: 4, Width: WidthLong, DisplayName: "Topics regex", Validator: ValidRegex,
		Documentation: "Java regular expression that a topic's whole name must match to be read.",
	},
	{
		Name: "errors.deadletterqueue.topic.name", Type: String, Default: Text(""), Importance: Medium, Group: groupErrors, Order: 6, Width: WidthMedium, DisplayName: "Dead Letter Queue Topic Name",
		Documentation: "Topic that receives bad records; empty means none.",
	},
	{
		Name: "errors.deadletterqueue.topic.replication.factor", Type: Short, Default: Text("3"), Importance: Medium, Group: groupErrors, Order: 7, Width: WidthMedium, DisplayName: "Dead Letter Queue Topic Replication Factor",
		Documentation: "Replication factor of that topic when it is created.",
	},
	{
		Name: "errors.deadletterqueue.context.headers.enable", Type: Boolean, Default: Text("false"), Importance: Medium, Group: groupErrors, Order: 8, Width: WidthMedium, DisplayName: "Enable Error Context Headers",
		Documentation: "Whether headers that describe the error are added to bad records.",
	},
}

// topicGroupDef returns the keys of one topic creation group, without their prefix.
func topicGroupDef(group string) *Def {
	include, count := Text(""), Text("-1")
	if group == DefaultTopicGroup {
		include, count = Text(".*"), Required()
	}
	return NewDef(
		Key{
			Name: "include", Type: List, Default: include, Importance: Low, Group: group, Order: 1, Width: WidthLong, DisplayName: "Inclusion Topic Pattern for " + group,
			Documentation: "Java regular expressions; a topic whose whole name matches one belongs to the group.",
		},
		Key{
			Name: "exclude", Type: List, Default: Text(""), Importance: Low, Group: group, Order: 2, Width: WidthLong, DisplayName: "Exclusion Topic Pattern for " + group,
			Documentation: "Java regular expressions; a topic whose whole name matches one does not belong to the group.",
		},
		Key{
			Name: "replication.factor", Type: Short, Default: count, Importance: Low, Group: group, Order: 3, Width: WidthLong, DisplayName: "Replication Factor for Topics in " + group, Validator: replication,
			Documentation: "Replication factor of new topics of the group; -1 means the broker's default.",
		},
		Key{
			Name: "partitions", Type: Int, Default: count, Importance: Low, Group: group, Order: 4, Width: WidthLong, DisplayName: "Partition Count for Topics in " + group, Validator: partitionCount,
			Documentation: "Partitions of new topics of the group; -1 means the broker's default.",
		},
	)
}
