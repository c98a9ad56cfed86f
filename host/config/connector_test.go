package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func connectorProps(more map[string]string) map[string]string {
	props := map[string]string{"name": "c", "connector.class": "X"}
	for k, v := range more {
		props[k] = v
	}
	return props
}

func TestConverterNamedByTheConnectorHasOnlyItsOwnOptions(t *testing.T) {
	w := testWorker(t, map[string]string{"value.converter.decimal.format": "NUMERIC"})
	own, err := ParseConnector(Source, connectorProps(map[string]string{"value.converter": "V2", "value.converter.a": "1"}), w)
	require.NoError(t, err)
	require.Equal(t, Converter{Role: ValueRole, Class: "V2", Config: map[string]string{"a": "1", "converter.type": "value"}}, own.ValueConverter)
	inherited, err := ParseConnector(Source, connectorProps(map[string]string{"value.converter.a": "1"}), w)
	require.NoError(t, err)
	require.Equal(t, w.ValueConverter, inherited.ValueConverter)
	require.NotContains(t, inherited.ValueConverter.Config, "a")
}

func TestSourceSettings(t *testing.T) {
	w := testWorker(t, map[string]string{"offset.flush.interval.ms": "7000"})
	c, err := ParseConnector(Source, connectorProps(map[string]string{
		"transforms": "a, b", "transforms.a.type": "T1", "transforms.a.field": "f", "transforms.b.type": "T2",
		"transforms.b.predicate": "p", "transforms.b.negate": "TRUE", "predicates": "p", "predicates.p.type": "P", "predicates.p.pattern": "x",
		"errors.tolerance": "all", "errors.retry.timeout": "-1", "tasks.max": " 3 ",
		"process.isolation": "task", "process.memory.limit": "512Mi", "process.cpu.limit": "0.5", "process.env.A": "1", "task.credit.bytes": "1048576",
		"process.memory.limits": "x",
	}), w)
	require.NoError(t, err)
	require.Equal(t, 3, c.TasksMax)
	require.Equal(t, []Transform{
		{Alias: "a", Class: "T1", Config: map[string]string{"field": "f"}},
		{Alias: "b", Class: "T2", Predicate: "p", Negate: true, Config: map[string]string{}},
	}, c.Transforms)
	require.Equal(t, map[string]Predicate{"p": {Alias: "p", Class: "P", Config: map[string]string{"pattern": "x"}}}, c.Predicates)
	require.Equal(t, ErrorHandling{RetryTimeout: -time.Millisecond, RetryDelayMax: time.Minute, TolerateAll: true}, c.Errors)
	require.Equal(t, Process{Isolation: IsolateTask, Env: map[string]string{"A": "1"}, MemoryLimitBytes: 512 << 20, CPULimitMillis: 500}, c.Process)
	require.Equal(t, int64(1<<20), c.TaskCreditBytes)
	require.Equal(t, 7*time.Second, c.Source.BoundaryInterval)
	require.Nil(t, c.Source.TopicCreation)
	require.Nil(t, c.Sink)
	require.Len(t, c.Warnings, 1)
	require.Contains(t, c.Warnings[0].String(), "did you mean process.memory.limit?")
}

func TestDefaultsOfAConnector(t *testing.T) {
	c, err := ParseConnector(Source, connectorProps(nil), testWorker(t, nil))
	require.NoError(t, err)
	require.Equal(t, int64(DefaultTaskCreditBytes), c.TaskCreditBytes)
	require.Equal(t, Process{Isolation: IsolateConnector, Env: map[string]string{}}, c.Process)
	require.Equal(t, 1, c.TasksMax)
	require.True(t, c.RestartOnReload)
	require.Equal(t, "poll", c.Source.TransactionBoundary)
}

// Both settings are told of a topic of dead letters that the sink reads.
func TestDeadLettersAmongTopicsAndTheirPattern(t *testing.T) {
	values := ValidateConnector(Sink, connectorProps(map[string]string{
		"topics": "t1", "topics.regex": "t.*", "errors.deadletterqueue.topic.name": "t1",
	}), testWorker(t, nil))
	errors := map[string][]string{}
	for _, v := range values {
		errors[v.Name] = v.Errors
	}
	require.Equal(t, []string{bothTopics, "The DLQ topic 't1' may not be included in the list of topics ('topics=[t1]') consumed by the connector"}, errors["topics"])
	require.Equal(t, []string{bothTopics, "The DLQ topic 't1' may not be matched by the regex for the topics ('topics.regex=t.*') consumed by the connector"}, errors["topics.regex"])
}

func TestBadConnectorSettingsNameTheirKey(t *testing.T) {
	for _, c := range []struct {
		kind  Kind
		props string
		err   string
	}{
		{Source, "tasks.max=0", "Invalid value 0 for configuration tasks.max: Value must be at least 1"},
		{Source, "transforms=a", `Missing required configuration "transforms.a.type"`},
		{Source, "transforms=a;transforms.a.type=T;transforms.a.predicate=no", "transforms.a.predicate"},
		{Source, "topic.creation.groups=g", `"topic.creation.default.replication.factor"`},
		{Source, "topic.creation.default.partitions=0;topic.creation.default.replication.factor=1", "topic.creation.default.partitions"},
		{Source, "topic.creation.groups=g;topic.creation.default.partitions=1;topic.creation.default.replication.factor=1", `"topic.creation.g.include"`},
		{Source, "topic.creation.groups=g;topic.creation.g.include=((;topic.creation.default.partitions=1;topic.creation.default.replication.factor=1", "topic.creation.g.include: Invalid regex"},
		{Source, "process.isolation=thread", "process.isolation: String must be one of: connector, task, plugin"},
		{Source, "process.memory.limit=much", "process.memory.limit"},
		{Source, "process.cpu.limit=0", "process.cpu.limit"},
		{Source, "process.env.TAILRACE_X=1", "reserved"},
		{Source, "task.credit.bytes=1", "task.credit.bytes: Value must be at least 65536"},
		{Sink, "", noTopics},
		{Sink, "topics=a;topics.regex=b", bothTopics},
		{Sink, "topics.regex=[", "topics.regex: Invalid regex: Unclosed character class near index 0"},
		{Sink, "topics=a;errors.deadletterqueue.topic.name=a", "The DLQ topic 'a' may not be included"},
		{Sink, "topics.regex=a.*;errors.deadletterqueue.topic.name=ab", "The DLQ topic 'ab' may not be matched"},
	} {
		t.Run(c.props, func(t *testing.T) {
			props := connectorProps(nil)
			for _, p := range strings.Split(c.props, ";") {
				if k, v, ok := strings.Cut(p, "="); ok {
					props[k] = v
				}
			}
			_, err := ParseConnector(c.kind, props, testWorker(t, nil))
			require.ErrorContains(t, err, c.err)
		})
	}
}

func TestTopicGroupsApplyInOrderAndInheritFromTheDefault(t *testing.T) {
	c, err := ParseConnector(Source, connectorProps(map[string]string{
		"topic.creation.groups":             "compact, big",
		"topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "-1", "topic.creation.default.retention.ms": "1",
		"topic.creation.compact.include": "ref\\..*,orders-[a-z]+", "topic.creation.compact.exclude": ".*-tmp", "topic.creation.compact.cleanup.policy": "compact",
		"topic.creation.big.include": ".*orders.*", "topic.creation.big.partitions": "12",
	}), testWorker(t, nil))
	require.NoError(t, err)
	creation := c.Source.TopicCreation
	for topic, want := range map[string]string{"ref.x": "compact", "orders-eu": "compact", "orders-eu-tmp": "big", "orders-1": "big", "xref.y": "default", "other": "default"} {
		require.Equal(t, want, creation.For(topic).Name, topic)
	}
	big := creation.For("orders-1")
	require.Equal(t, int32(12), big.Partitions)
	require.Equal(t, int16(-1), big.ReplicationFactor)
	require.Equal(t, map[string]string{"retention.ms": "1", "cleanup.policy": "compact"}, creation.For("ref.x").Configs)
	require.Equal(t, map[string]string{"retention.ms": "1"}, big.Configs)

	off := testWorker(t, map[string]string{"topic.creation.enable": "false"})
	c, err = ParseConnector(Source, connectorProps(map[string]string{"topic.creation.default.partitions": "3"}), off)
	require.NoError(t, err)
	require.Nil(t, c.Source.TopicCreation)
}

func TestSinkSettings(t *testing.T) {
	c, err := ParseConnector(Sink, connectorProps(map[string]string{"topics.regex": "a|b(?!c).*", "errors.deadletterqueue.topic.name": "dlq"}), testWorker(t, nil))
	require.NoError(t, err)
	for topic, want := range map[string]bool{"a": true, "ab": false, "bd": true, "bc": false, "a\n": false} {
		require.Equal(t, want, c.Sink.TopicsRegex.Matches(topic), topic)
	}
	require.Equal(t, &DeadLetterQueue{"dlq", 3, false}, c.Errors.DLQ)
	c, err = ParseConnector(Sink, connectorProps(map[string]string{"topics": " a , ,b"}), testWorker(t, nil))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, c.Sink.Topics)
}

func TestClientSettingsAreComposedInOrder(t *testing.T) {
	w := testWorker(t, map[string]string{
		"producer.linger.ms": "5", "producer.acks": "1", "consumer.fetch.min.bytes": "9", "admin.retries": "4",
		"security.protocol": "SSL", "request.timeout.ms": "7",
	})
	props := connectorProps(map[string]string{
		"topics": "t", "errors.deadletterqueue.topic.name": "d",
		"producer.override.acks": "0", "consumer.override.group.id": "g", "admin.override.client.id": "x",
	})
	c, err := ParseConnector(Sink, props, w)
	require.NoError(t, err)
	producer := c.DLQProducerProps(w, 2)
	require.Equal(t, "0", producer["acks"])
	require.Equal(t, "5", producer["linger.ms"])
	require.Equal(t, "connector-dlq-producer-c-2", producer["client.id"])
	require.NotContains(t, producer, "security.protocol", "producers take no setting without prefix")
	consumer := c.ConsumerProps(w, 2)
	require.Equal(t, map[string]string{
		"bootstrap.servers": "localhost:9092", "client.id": "connector-consumer-c-2", "group.id": "g",
		"enable.auto.commit": "false", "auto.offset.reset": "earliest", "fetch.min.bytes": "9",
	}, consumer)
	require.Equal(t, "g", c.SinkGroup(w))
	admin := c.AdminProps(w, WorkerAdminClientID("c"))
	require.Equal(t, map[string]string{"bootstrap.servers": "localhost:9092", "client.id": "x", "retries": "4", "security.protocol": "SSL", "request.timeout.ms": "7"}, admin)

	plain, err := ParseConnector(Sink, connectorProps(map[string]string{"topics": "t"}), w)
	require.NoError(t, err)
	require.Equal(t, "connect-c", plain.ConsumerProps(w, 0)["group.id"])
	require.Equal(t, "connect-c", plain.SinkGroup(w))
}

func TestExactlyOnceProducerKeepsItsTransactionalID(t *testing.T) {
	w := goldenWorker(t, true)
	c, err := ParseConnector(Source, connectorProps(map[string]string{
		"producer.override.transactional.id": "mine", "producer.override.enable.idempotence": "false",
	}), w)
	require.NoError(t, err)
	props := c.ProducerProps(w, 1)
	require.Equal(t, "golden-c-1", props["transactional.id"]) // I-5
	require.Equal(t, "true", props["enable.idempotence"])
}

func TestOverridePolicies(t *testing.T) {
	for _, c := range []struct {
		policy    string
		sasl, ack bool
	}{
		{"All", true, true},
		{"None", false, false},
		{"Principal", true, false},
		{"Allowlist", false, true},
		{"org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy", true, false},
	} {
		p, err := ParseOverridePolicy(c.policy, []string{"acks"})
		require.NoError(t, err)
		require.Equal(t, c.sasl, p.Allows("sasl.mechanism"), c.policy)
		require.Equal(t, c.ack, p.Allows("acks"), c.policy)
	}
	w := testWorker(t, map[string]string{"connector.client.config.override.policy": "None"})
	props := connectorProps(map[string]string{"producer.override.acks": "1"})
	text := "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."
	_, err := ParseConnector(Source, props, w)
	require.ErrorContains(t, err, text)
	require.Contains(t, ValidateRequest{Kind: Source, Props: props, Worker: w}.Validate(Report{}).Errors(), text)
}

func TestNullsAreRefusedForEveryKey(t *testing.T) {
	own := fileStreamDef(Source)
	r := ValidateRequest{Kind: Source, Props: connectorProps(nil), Nulls: []string{"topic", "unknown"}, Worker: testWorker(t, nil)}
	infos := r.Validate(NewReport(own, own.validate(r.Props, r.Nulls)))
	require.Equal(t, []string{nullValue, nullValue}, infos.Errors())
	require.Nil(t, infos.Configs[0].Definition)
	require.Equal(t, "unknown", infos.Configs[0].Value.Name)
	require.Equal(t, "topic", infos.Configs[len(infos.Configs)-2].Value.Name)
}

func TestSinkGroupMustNotBeTheWorkersGroup(t *testing.T) {
	w := goldenWorker(t, false)
	r := ValidateRequest{Kind: Sink, Worker: w, Props: connectorProps(map[string]string{"topics": "t", "consumer.override.group.id": "golden"})}
	require.Equal(t, []string{"Consumer group golden conflicts with Connect worker group golden"}, r.Validate(Report{}).Errors())
	r.Props["consumer.override.group.id"] = "mine"
	infos := r.Validate(Report{})
	first, last := infos.Configs[0], infos.Configs[len(infos.Configs)-1]
	require.Equal(t, []string{"consumer.override.group.id", "consumer.override.group.id"}, []string{first.Value.Name, last.Value.Name})
	require.Equal(t, []string{"mine", "mine"}, []string{*first.Value.Value, *last.Value.Value})
	require.Nil(t, first.Definition)
	require.NotNil(t, last.Definition)
	w.Cluster.GroupID = "connect-c"
	delete(r.Props, "consumer.override.group.id")
	require.Equal(t, []string{"Consumer group for sink connector named c conflicts with Connect worker group connect-c"}, r.Validate(Report{}).Errors())
}

// As Kafka Connect 4.1 answers: the error stands without a definition, and the setting behind all others without an error.
func TestANullSettingOfAClientIsListedTwice(t *testing.T) {
	r := ValidateRequest{Kind: Source, Worker: goldenWorker(t, false), Props: connectorProps(nil), Nulls: []string{"producer.override.acks", "consumer.override.fetch.min.bytes"}}
	infos := r.Validate(Report{})
	require.Equal(t, 2, infos.ErrorCount)
	var first, last []string
	for i, info := range infos.Configs {
		switch {
		case info.Definition == nil:
			require.Less(t, i, 2)
			require.Equal(t, []string{nullValue}, info.Value.Errors)
			first = append(first, info.Value.Name)
		case info.Value.Name == "producer.override.acks":
			require.Equal(t, len(infos.Configs)-1, i)
			require.Empty(t, info.Value.Errors)
			require.Nil(t, info.Value.Value)
			last = append(last, info.Value.Name)
		}
	}
	require.Equal(t, []string{"producer.override.acks", "consumer.override.fetch.min.bytes"}, first)
	require.Len(t, last, 1)
}

func TestValuesAreReadByJavasRules(t *testing.T) {
	for _, c := range []struct {
		t    Type
		text string
		want any
	}{
		{Boolean, " TRUE ", true},
		{Boolean, "yes", nil},
		{Int, "+5", int32(5)},
		{Int, "2147483648", nil},
		{Int, "1_0", nil},
		{Int, "0x1", nil},
		{Short, "-32768", int16(-32768)},
		{Short, "32768", nil},
		{Long, "9223372036854775807", int64(9223372036854775807)},
		{Double, "1e3", 1000.0},
		{Double, "2d", 2.0},
		{Double, "inf", nil},
		{Double, "1_0", nil},
		{Double, "nan", nil},
		{List, "", []string{}},
		{List, " a , b,,c ", []string{"a", "b", "", "c"}},
		{String, " x ", "x"},
		{Password, " x ", NewSecret("x")},
	} {
		got, err := ParseText("k", c.text, c.t)
		require.Equal(t, c.want, got, "%s %q", c.t, c.text)
		require.Equal(t, c.want == nil, err != nil)
	}
}

func TestRefusalListsAllErrorsAsKafkaConnectDoes(t *testing.T) {
	own := fileStreamDef(Source)
	r := ValidateRequest{Kind: Source, Worker: testWorker(t, nil), Props: connectorProps(map[string]string{"tasks.max": "q"})}
	require.EqualError(t, r.Validate(NewReport(own, own.Validate(r.Props))).Err(),
		"Connector configuration is invalid and contains the following 3 error(s):\n"+
			"Invalid value q for configuration tasks.max: Not a number of type INT\n"+
			"Invalid value null for configuration tasks.max: Value must be non-null\n"+
			"Missing required configuration \"topic\" which has no default value.\n"+
			"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
	require.NoError(t, Merge("x").Err())
}

func TestFrameworkFindingsCoverItsOwnKeysInOrder(t *testing.T) {
	values := ValidateConnector(Sink, connectorProps(map[string]string{"topics": "t"}), testWorker(t, nil))
	var names []string
	for _, v := range values {
		names = append(names, v.Name)
		require.Empty(t, v.Errors)
	}
	var want []string
	for _, k := range KeyInfos(SinkConnectorDef()) {
		want = append(want, k.Name)
	}
	require.Equal(t, want, names)
}

func TestOwnKeysAreListedOnlyWhenSet(t *testing.T) {
	r := ValidateRequest{Kind: Source, Worker: testWorker(t, nil), Props: connectorProps(map[string]string{
		"process.isolation": "thread", "process.env.PLUGIN_X": "1", "process.env.DB_PASSWORD": "pa\x00ss",
	})}
	infos := r.Validate(Report{})
	require.Equal(t, []string{
		"Invalid value thread for configuration process.isolation: String must be one of: connector, task, plugin",
		"Invalid value [hidden] for configuration process.env.DB_PASSWORD: the value of an environment variable has no NUL",
		"Invalid value PLUGIN_X for configuration process.env.PLUGIN_X: names starting with TAILRACE_ or PLUGIN_ are reserved for the worker; choose another name",
	}, infos.Errors())
	require.Equal(t, Hidden, *infos.Configs[len(infos.Configs)-2].Value.Value)
	require.Equal(t, groupProcess, infos.Groups[len(infos.Groups)-1])
}

func TestWorkersOwnClientsTakeSettingsWithoutPrefix(t *testing.T) {
	w := testWorker(t, map[string]string{"sasl.mechanism": "PLAIN", "producer.acks": "1", "client.id": "me"})
	require.Equal(t, map[string]string{"bootstrap.servers": "localhost:9092", "client.id": "x", "sasl.mechanism": "PLAIN"}, w.ClientProps("x"))
}

func TestJavaRegexes(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`a|ab`, "ab", true},
		{`\Qa.b\E.*`, "a.bc", true},
		{`\Qa.b\E`, "axb", false},
		{`a\hb`, "a b", true},
		{`(a)\1`, "aa", true},
		{`(?<n>a)\k<n>`, "aa", true},
		{`(?i)A`, "a", true},
		{`a$`, "a", true},
		{``, "", true},
	} {
		r, err := CompileRegex(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, r.Matches(c.text), c.pattern)
	}
	for pattern, text := range map[string]string{
		"a(*": "Dangling meta character '*' near index 2\na(*\n  ^", "(": "Unclosed group near index 1\n(",
		"[": "Unclosed character class near index 0\n[\n^", "*": "Dangling meta character '*' near index 0\n*\n^",
		"a{1": "Unclosed counted closure near index 3\na{1", "a{1,": "Unclosed counted closure near index 4\na{1,",
		`a\`: "Unescaped trailing backslash near index 2\na\\",
	} {
		require.EqualError(t, checkJavaRegex(pattern), text)
	}
	_, err := CompileRegex("a*+")
	require.Error(t, err, "possessive quantifiers are refused, not read differently")
}

// A pattern that backtracks for ever must not hold a task up.
func TestRegexMatchingIsBounded(t *testing.T) {
	r, err := CompileRegex(`(a+)+b`)
	require.NoError(t, err)
	start := time.Now()
	require.False(t, r.Matches(strings.Repeat("a", 200)))
	require.Less(t, time.Since(start), 5*time.Second)
}

// Tailrace's own keys about bad records: a rate for both kinds, dead letters for sources.
func TestKeysAboutBadRecordsThatKafkaConnectDoesNotHave(t *testing.T) {
	c, err := ParseConnector(Source, connectorProps(map[string]string{
		"errors.tolerance": "all", "errors.tolerance.max.rate": "0.01", "errors.deadletterqueue.topic.name": "dlq",
		"errors.deadletterqueue.topic.replication.factor": "1",
	}), testWorker(t, nil))
	require.NoError(t, err)
	require.Equal(t, &DeadLetterQueue{Topic: "dlq", ReplicationFactor: 1, ContextHeaders: true}, c.Errors.DLQ)
	require.InDelta(t, 0.01, c.Errors.MaxRate, 0)
	require.Equal(t, 1000, c.Errors.RateRecords)
	c, err = ParseConnector(Sink, connectorProps(map[string]string{"topics": "t"}), testWorker(t, nil))
	require.NoError(t, err)
	require.Zero(t, c.Errors.RateRecords)
	_, err = ParseConnector(Sink, connectorProps(map[string]string{"topics": "t", "errors.tolerance.max.rate": "1.5"}), testWorker(t, nil))
	require.ErrorContains(t, err, "errors.tolerance.max.rate")
	// A validate answer shows them only when they are set.
	shown := func(props map[string]string) (names []string) {
		for _, v := range ValidateConnector(Source, connectorProps(props), testWorker(t, nil)) {
			if strings.HasPrefix(v.Name, "errors.tolerance.") || strings.HasPrefix(v.Name, "errors.dead") {
				names = append(names, v.Name)
			}
		}
		return names
	}
	require.Empty(t, shown(nil))
	require.Equal(t, []string{"errors.tolerance.max.rate", "errors.deadletterqueue.topic.name"},
		shown(map[string]string{"errors.tolerance.max.rate": "0", "errors.deadletterqueue.topic.name": "d"}))
}

// schema.evolution is a key of sources, shown when it is set.
func TestSchemaEvolutionIsChecked(t *testing.T) {
	c, err := ParseConnector(Source, connectorProps(nil), testWorker(t, nil))
	require.NoError(t, err)
	require.Equal(t, EvolveSchemas, c.Source.SchemaEvolution)
	c, err = ParseConnector(Source, connectorProps(map[string]string{"schema.evolution": "strict"}), testWorker(t, nil))
	require.NoError(t, err)
	require.Equal(t, StrictSchemas, c.Source.SchemaEvolution)
	_, err = ParseConnector(Source, connectorProps(map[string]string{"schema.evolution": "none"}), testWorker(t, nil))
	require.ErrorContains(t, err, "Invalid value none for configuration schema.evolution: String must be one of: evolve, strict, ignore")
	for _, v := range ValidateConnector(Source, connectorProps(map[string]string{"schema.evolution": "none"}), testWorker(t, nil)) {
		if v.Name == "schema.evolution" {
			require.Len(t, v.Errors, 1)
			return
		}
	}
	t.Error("the validation does not show schema.evolution")
}
