package main

import (
	"strconv"
	"strings"

	connect "github.com/tailrace/tailrace/sdk/go"
)

// sameKeys are keys of Aiven's OpenSearch connector that have another name here.
var sameKeys = map[string]string{
	"index.write.method":           "write.method",
	"bulk.max.operations.size":     "batch.size",
	"bulk.max.concurrent.requests": "max.in.flight.requests",

	"connection.ssl.truststore.location":               "elastic.https.ssl.truststore.location",
	"connection.ssl.truststore.type":                   "elastic.https.ssl.truststore.type",
	"connection.ssl.keystore.location":                 "elastic.https.ssl.keystore.location",
	"connection.ssl.keystore.type":                     "elastic.https.ssl.keystore.type",
	"connection.ssl.enabled.protocols":                 "elastic.https.ssl.enabled.protocols",
	"connection.ssl.endpoint.identification.algorithm": "elastic.https.ssl.endpoint.identification.algorithm",
}

const (
	unlimited     = "-1" // Aiven's word for no limit
	mostItems     = "1000000"
	mostBulkBytes = 100 << 20
	noneOfThem    = "none"
)

// translated puts what is written in Aiven's keys into Confluent's, which the rest of the plugin knows. A key of Confluent's that is
// set as well wins. What cannot be honoured is an issue.
func translated(raw connect.Config) (connect.Config, []connect.ConfigIssue) {
	out := raw.Clone()
	var issues []connect.ConfigIssue
	set := func(key, value string) {
		if _, given := out[key]; !given {
			out[key] = value
		}
	}
	refuse := func(key, why string) { issues = append(issues, connect.BadValue(key, raw[key], why)) }
	for theirs, ours := range sameKeys {
		switch v, given := raw[theirs]; {
		case !given:
		case v == unlimited && ours == "batch.size":
			set(ours, mostItems)
		default:
			set(ours, v)
		}
	}
	is := func(key, word string) bool { return strings.EqualFold(strings.TrimSpace(raw[key]), word) }
	if v, given := raw["bulk.max.size"]; given {
		switch n, err := strconv.Atoi(strings.TrimSpace(v)); {
		case v == unlimited:
			set("bulk.size.bytes", strconv.Itoa(mostBulkBytes))
		case err == nil && n > 0 && n <= mostBulkBytes>>20:
			set("bulk.size.bytes", strconv.Itoa(n<<20))
		default:
			refuse("bulk.max.size", "it is a number of megabytes, 1 to 100, or -1")
		}
	}
	switch {
	case raw["routing.type"] == "" || is("routing.type", noneOfThem):
	case is("routing.type", "key"):
		set("routing.enabled", "true")
	case is("routing.type", "value"):
		pointer := raw["routing.type.record.value.path"]
		if !strings.HasPrefix(pointer, "/") || strings.Contains(pointer, "~") {
			refuse("routing.type.record.value.path", "it must lead to a field: /customer/id")
			break
		}
		set("routing.enabled", "true")
		set("routing.field.path", strings.ReplaceAll(pointer[1:], "/", "."))
	default:
		refuse("routing.type", "must be one of none, key, value")
	}
	switch {
	case raw["key.ignore.id.strategy"] == "" || is("key.ignore.id.strategy", "topic.partition.offset"):
	case is("key.ignore.id.strategy", "record.key"):
		out["key.ignore"], out["topic.key.ignore"] = "false", ""
	default:
		refuse("key.ignore.id.strategy", "ids that the server makes are not supported: a record that comes again would be a second document; use topic.partition.offset or record.key")
	}
	if is("behavior.on.malformed.documents", "report") {
		out["behavior.on.malformed.documents"] = "WARN" // which reports too
	}
	if raw["behavior.on.version.conflict"] != "" && !is("behavior.on.version.conflict", "ignore") {
		refuse("behavior.on.version.conflict", "only ignore: a version conflict tells that the document is newer than the record, which came before")
	}
	if is("data.stream.timestamp.field", "@timestamp") {
		delete(out, "data.stream.timestamp.field") // as it always is
	}
	return out, issues
}
