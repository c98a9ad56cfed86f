package kafka

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// rights says which right an operation of this package was refused for, by the
// beginning of its name and the kind of resource that the broker names. The
// table follows "Operations and Resources on Protocols" in Kafka's documentation.
var rights = []struct {
	op, resource, operation string
}{
	{"produce", "topic", "WRITE"},
	{"fetch from", "topic", "READ"},
	{"read records again", "topic", "READ"},
	{"read topic", "topic", "READ"},
	{"open topic log", "topic", "READ and WRITE"},
	{"create topic", "topic", "CREATE"},
	{"delete topic", "topic", "DELETE"},
	{"describe topic", "topic", "DESCRIBE"},
	{"read the configs of topic", "topic", "DESCRIBE_CONFIGS"},
	{"list offsets", "topic", "DESCRIBE"},
	{"list end offsets", "topic", "DESCRIBE"},
	{"commit offsets", "topic", "READ"},
	{"alter offsets of group", "topic", "READ"},
	{"delete offsets of group", "topic", "READ"},
	{"delete offsets of group", "group", "DELETE"},
	{"delete group", "group", "DELETE"},
	{"read offsets of group", "group", "DESCRIBE"},
	{"", "group", "READ"},
	{"", "topic", "DESCRIBE"},
	{"", "transactional id", "WRITE"},
	{"create topic", "cluster", "CREATE"},
	{"", "cluster", "DESCRIBE"},
}

// refusedResource is the kind of resource behind a broker's refusal; "" for any
// other failure.
func refusedResource(code string) string {
	switch code {
	case kerr.TopicAuthorizationFailed.Message:
		return "topic"
	case kerr.GroupAuthorizationFailed.Message:
		return "group"
	case kerr.ClusterAuthorizationFailed.Message:
		return "cluster"
	case kerr.TransactionalIDAuthorizationFailed.Message:
		return "transactional id"
	}
	return ""
}

// missingRight is the advice about a refusal: which right on what would help.
// subject is what the operation was tried on; it names the resource when it is of
// the kind that the broker refused.
func missingRight(op, subject, code string) string {
	kind := refusedResource(code)
	if kind == "" {
		return ""
	}
	if op == "produce" && kind == "cluster" {
		// A broker refuses the start of an idempotent producer that may write to no topic at all.
		return missingRight(op, subject, kerr.TopicAuthorizationFailed.Message) +
			"; brokers older than 2.8 want IDEMPOTENT_WRITE on the cluster too, or producer.override.enable.idempotence=false"
	}
	for _, r := range rights {
		if r.resource == kind && strings.HasPrefix(op, r.op) {
			return fmt.Sprintf("grant this client's principal %s on %s (kafka-acls.sh --add --allow-principal User:… %s)", r.operation, named(kind, op, subject), aclOptions(r.operation, kind, resourceName(kind, op, subject)))
		}
	}
	return ""
}

// named is the resource for a reader: "topic orders", "the cluster", "the topic".
func named(kind, op, subject string) string {
	name := resourceName(kind, op, subject)
	switch {
	case kind == "cluster":
		return "the cluster"
	case name == "":
		return "the " + kind
	}
	return kind + " " + name
}

// resourceName takes the name of a resource out of what an error is about.
func resourceName(kind, op, subject string) string {
	for _, prefix := range []string{"topic ", "partition ", "of group ", "group "} {
		if rest, ok := strings.CutPrefix(subject, prefix); ok {
			subject = rest
			if strings.HasPrefix(prefix, "partition") {
				subject = subject[:max(strings.LastIndexByte(subject, '-'), 0)]
			}
			if strings.Contains(prefix, "group") != (kind == "group") {
				return ""
			}
			return subject
		}
	}
	if strings.Contains(op, "group") != (kind == "group") {
		return ""
	}
	return subject
}

// aclOptions are those of kafka-acls.sh that add the right.
func aclOptions(operation, kind, name string) string {
	var b strings.Builder
	for o := range strings.SplitSeq(operation, " and ") {
		fmt.Fprintf(&b, "--operation %s ", o)
	}
	switch kind {
	case "cluster":
		b.WriteString("--cluster")
	case "transactional id":
		fmt.Fprintf(&b, "--transactional-id %s", orDots(name))
	default:
		fmt.Fprintf(&b, "--%s %s", kind, orDots(name))
	}
	return b.String()
}

func orDots(name string) string {
	if name == "" {
		return "…"
	}
	return name
}
