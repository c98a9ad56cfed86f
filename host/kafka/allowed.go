package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Rights are what this client's principal may do, as brokers tell: names of operations (READ, WRITE …).
type Rights struct {
	// Topics has those that exist and may be described; Hidden those that may not be (which brokers do not tell from
	// those that do not exist, unless CREATE is granted).
	Topics map[string][]string
	Hidden []string
	// Group are the rights on the group; nil when brokers do not tell them.
	Group []string
}

// operations are Kafka's by their codes (org.apache.kafka.common.acl.AclOperation).
var operations = map[int]string{
	3: "READ", 4: "WRITE", 5: "CREATE", 6: "DELETE", 7: "ALTER", 8: "DESCRIBE", 9: "CLUSTER_ACTION",
	10: "DESCRIBE_CONFIGS", 11: "ALTER_CONFIGS", 12: "IDEMPOTENT_WRITE",
}

// readOperations reads the bit field of authorised operations.
func readOperations(bits int32) []string {
	if bits == math.MinInt32 {
		return nil // not told
	}
	list := []string{}
	for code, name := range operations {
		if bits&(1<<code) != 0 {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Rights asks brokers what this client may do with topics and a group.
func (a *Admin) Rights(ctx context.Context, group string, topics ...string) (Rights, error) {
	out := Rights{Topics: map[string][]string{}}
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return out, newError("read the rights on topics", "", err)
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case t.Topic == nil:
		case err == nil:
			out.Topics[*t.Topic] = readOperations(t.AuthorizedOperations)
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			out.Hidden = append(out.Hidden, *t.Topic)
		}
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups, describe.IncludeAuthorizedOperations = []string{group}, true
	for _, shard := range a.cl.RequestSharded(ctx, describe) {
		if errors.Is(shard.Err, kerr.GroupAuthorizationFailed) { // the coordinator may not be asked for
			out.Group = []string{}
			continue
		}
		if shard.Err != nil {
			return out, newError("describe group", group, shard.Err)
		}
		answer, ok := shard.Resp.(*kmsg.DescribeGroupsResponse)
		for i := 0; ok && i < len(answer.Groups); i++ {
			g := &answer.Groups[i]
			switch err := kerr.ErrorForCode(g.ErrorCode); {
			case err == nil, errors.Is(err, kerr.GroupIDNotFound): // one that does not exist yet has rights, too
				out.Group = readOperations(g.AuthorizedOperations)
			case errors.Is(err, kerr.GroupAuthorizationFailed):
				out.Group = []string{}
			default:
				return out, newError("describe group", group, err)
			}
		}
	}
	return out, nil
}

// MayCreate asks whether a topic could be created as it is described; nothing is created. The errors are those of CreateTopic.
func (a *Admin) MayCreate(ctx context.Context, t NewTopic) error {
	configs := make(map[string]*string, len(t.Configs))
	for k, v := range t.Configs {
		configs[k] = &v
	}
	responses, err := a.adm.ValidateCreateTopics(ctx, t.Partitions, t.ReplicationFactor, configs, t.Name)
	if err == nil {
		var one kadm.CreateTopicResponse
		if one, err = responses.On(t.Name, nil); err == nil {
			err = one.Err
		}
	}
	return newError("create topic", t.Name, err)
}

// unknownProducer is a producer id that no broker has given out.
const unknownProducer = math.MaxInt64

// MayTransact asks whether this client may write transactions of a transactional id, which need not exist. Nothing changes,
// and no producer that uses the id is disturbed: brokers look at the rights before they find that they do not know the
// producer that is named.
func (a *Admin) MayTransact(ctx context.Context, id string) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID = id, unknownProducer
	resp, err := req.RequestWith(ctx, a.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.InvalidProducerIDMapping) {
		return nil
	}
	return newError("use transactional id", id, err)
}

// Brokers is how many brokers the cluster has.
func (a *Admin) Brokers(ctx context.Context) (int, error) {
	brokers, err := a.adm.ListBrokers(ctx)
	if err != nil {
		return 0, newError("list the brokers", "", err)
	}
	return len(brokers), nil
}

// Advice is what to do about an error of this package; empty when it says nothing.
func Advice(err error) string {
	var typed *Error
	if errors.As(err, &typed) {
		return typed.Advice
	}
	return ""
}

// Grant is the command that gives a right to the principal of a client; kind is topic, group, cluster or transactional id.
func Grant(operation, kind, name string) string {
	return fmt.Sprintf("kafka-acls.sh --add --allow-principal User:… %s", aclOptions(operation, kind, name))
}
