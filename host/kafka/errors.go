package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/host/tlsconfig"
)

// The kinds of failure that callers tell apart. An error of this package
// matches at most one of them with errors.Is.
var (
	ErrTopicExists              = errors.New("topic already exists")
	ErrUnknownTopic             = errors.New("topic or partition does not exist")
	ErrNotAuthorised            = errors.New("not authorised")
	ErrAuthentication           = errors.New("authentication failed")
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	ErrInvalidPartitions        = errors.New("invalid number of partitions")
	ErrInvalidTopic             = errors.New("invalid topic name")
	ErrInvalidTopicConfig       = errors.New("invalid topic configuration")
	ErrPolicyViolation          = errors.New("refused by a policy of the broker")
	ErrMessageTooLarge          = errors.New("record too large")
	ErrInvalidRecord            = errors.New("record refused by the broker")
	ErrBrokerUnreachable        = errors.New("broker unreachable")
	ErrFenced                   = errors.New("fenced by a newer producer or group member")
	ErrGroupNotEmpty            = errors.New("consumer group has active members")
	ErrUnknownGroup             = errors.New("consumer group does not exist")
	ErrOffsetOutOfRange         = errors.New("offset out of range")
	ErrNotAssigned              = errors.New("partition is not assigned to this consumer")
	ErrClosed                   = errors.New("client is closed")
	ErrDeliveryTimeout          = errors.New("delivery timeout expired")
)

// Error is what every failed operation of this package returns.
type Error struct {
	// Op is what was tried, for example "create topic".
	Op string
	// Subject is what it was tried on, for example "topic orders"; may be empty.
	Subject string
	// Kind is one of the Err… variables, or nil when none fits.
	Kind error
	// Code is the broker's name for the failure (UNKNOWN_TOPIC_OR_PARTITION …), or empty.
	Code string
	// Advice says what to do, as a clause that follows the message; may be empty.
	Advice string
	// Retriable says that the same call may succeed later without a change by the user.
	Retriable bool

	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("kafka: ")
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" ")
		b.WriteString(e.Subject)
	}
	b.WriteString(": ")
	b.WriteString(e.cause.Error())
	if e.Advice != "" {
		b.WriteString("; ")
		b.WriteString(e.Advice)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrTopicExists) and its siblings work.
func (e *Error) Is(target error) bool { return e.Kind != nil && target == e.Kind }

// Unwrap gives the cause, so that context.Canceled and the like can be found.
func (e *Error) Unwrap() error { return e.cause }

// IsRetriable reports whether trying the same again can help: a broker that is
// away, a leader election, a rebalance. Everything unknown is not retriable.
func IsRetriable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Retriable
	}
	var r *RecordError
	if errors.As(err, &r) {
		return r.Retriable
	}
	return classify(err).retriable
}

// newError wraps cause for the reader; nil stays nil.
func newError(op, subject string, cause error) error {
	if cause == nil {
		return nil
	}
	var done *Error
	if errors.As(cause, &done) {
		return cause // wrapped once per border
	}
	c := classify(cause)
	if advice := missingRight(op, subject, c.code); advice != "" {
		c.advice = advice
	}
	return &Error{
		Op: op, Subject: subject, Kind: c.kind, Code: c.code,
		Advice: c.advice, Retriable: c.retriable, cause: plainCause(cause),
	}
}

// class is the verdict on one failure.
type class struct {
	kind      error
	code      string
	advice    string
	retriable bool
}

// brokerVerdicts is the one place that decides what a broker's error code means
// to a caller. Codes that are missing follow the protocol's own retriable flag.
var brokerVerdicts = map[*kerr.Error]class{
	kerr.TopicAlreadyExists:                 {kind: ErrTopicExists},
	kerr.UnknownTopicOrPartition:            {kind: ErrUnknownTopic, advice: "create the topic, allow the connector to create it with topic.creation.default.*, or let the broker create topics (auto.create.topics.enable)"},
	kerr.UnknownTopicID:                     {kind: ErrUnknownTopic, advice: "the topic was deleted, perhaps created again; restart the task"},
	kerr.TopicAuthorizationFailed:           {kind: ErrNotAuthorised},
	kerr.GroupAuthorizationFailed:           {kind: ErrNotAuthorised},
	kerr.ClusterAuthorizationFailed:         {kind: ErrNotAuthorised},
	kerr.TransactionalIDAuthorizationFailed: {kind: ErrNotAuthorised},
	kerr.SaslAuthenticationFailed:           {kind: ErrAuthentication, advice: "check sasl.mechanism, and the user and password or token in sasl.jaas.config"},
	kerr.UnsupportedSaslMechanism:           {kind: ErrAuthentication, advice: "set sasl.mechanism to one that the broker enables"},
	kerr.InvalidReplicationFactor:           {kind: ErrInvalidReplicationFactor, advice: "set a replication factor between 1 and the number of brokers, or -1 for the broker's default"},
	kerr.InvalidPartitions:                  {kind: ErrInvalidPartitions, advice: "set at least 1 partition, or -1 for the broker's default"},
	kerr.InvalidTopicException:              {kind: ErrInvalidTopic, advice: "use at most 249 letters, digits, '.', '_' and '-'"},
	kerr.InvalidConfig:                      {kind: ErrInvalidTopicConfig, advice: "check the topic configs against the broker's version"},
	kerr.PolicyViolation:                    {kind: ErrPolicyViolation, advice: "ask the cluster's administrator which policy applies"},
	kerr.MessageTooLarge:                    {kind: ErrMessageTooLarge},
	kerr.RecordListTooLarge:                 {kind: ErrMessageTooLarge},
	kerr.InvalidRecord:                      {kind: ErrInvalidRecord, advice: "a compacted topic takes no record without a key; otherwise see the broker's log"},
	kerr.InvalidTimestamp:                   {kind: ErrInvalidRecord, advice: "the timestamp is outside what the topic allows (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"},
	kerr.ProducerFenced:                     {kind: ErrFenced},
	kerr.InvalidProducerEpoch:               {kind: ErrFenced},
	kerr.FencedInstanceID:                   {kind: ErrFenced, advice: "another consumer uses the same group.instance.id"},
	kerr.NonEmptyGroup:                      {kind: ErrGroupNotEmpty, advice: "stop the connector and wait until its tasks have left the group"},
	kerr.GroupSubscribedToTopic:             {kind: ErrGroupNotEmpty, advice: "stop the connector and wait until its tasks have left the group"},
	kerr.GroupIDNotFound:                    {kind: ErrUnknownGroup},
	kerr.OffsetOutOfRange:                   {kind: ErrOffsetOutOfRange, advice: "set consumer.override.auto.offset.reset or reset the connector's offsets"},
	// A member that was put out of its group joins again by itself: the commit is
	// lost, the records come again (at least once), the caller carries on.
	kerr.IllegalGeneration:   {retriable: true},
	kerr.UnknownMemberID:     {retriable: true},
	kerr.RebalanceInProgress: {retriable: true},
	kerr.StaleMemberEpoch:    {retriable: true},
}

// classify decides what a raw failure is. It sees the causes of the client
// library and of the operating system; callers see Kind and Retriable.
func classify(err error) class {
	var known *Error
	if errors.As(err, &known) {
		return class{kind: known.Kind, code: known.Code, advice: known.Advice, retriable: known.Retriable}
	}
	if c, ok := classifySecurity(err); ok {
		return c
	}
	var ke *kerr.Error
	if errors.As(err, &ke) {
		c, ok := brokerVerdicts[ke]
		if !ok {
			c.retriable = ke.Retriable
		}
		c.code = ke.Message
		return c
	}
	switch {
	case errors.Is(err, context.Canceled):
		return class{}
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, kgo.ErrAborting):
		return class{kind: ErrClosed}
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return class{kind: ErrDeliveryTimeout, retriable: true, advice: "raise delivery.timeout.ms or find out why the broker does not answer"}
	}
	var first *kgo.ErrFirstReadEOF
	if errors.As(err, &first) {
		return class{kind: ErrBrokerUnreachable, retriable: true, advice: "the broker closes the connection at once: does security.protocol match its listener?"}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return class{kind: ErrBrokerUnreachable, retriable: true, advice: "the host name does not resolve: check bootstrap.servers"}
	}
	if isNetworkError(err) {
		return class{kind: ErrBrokerUnreachable, retriable: true, advice: "check bootstrap.servers, the network and that the broker runs"}
	}
	return class{}
}

// classifySecurity knows the failures between a connection and the first request.
func classifySecurity(err error) (class, bool) {
	var handshake *tlsconfig.HandshakeError
	if errors.As(err, &handshake) {
		if handshake.Final() {
			return class{kind: ErrAuthentication, advice: handshake.Advice()}, true
		}
		return class{kind: ErrBrokerUnreachable, advice: handshake.Advice(), retriable: true}, true
	}
	if advice, refused := tlsconfig.Refused(err); refused {
		return class{kind: ErrAuthentication, advice: advice}, true
	}
	// The library has no type for a TLS alert that it took for the length of an answer.
	if text := err.Error(); strings.Contains(text, "invalid large response size") && strings.Contains(text, "tls") {
		return class{kind: ErrAuthentication, advice: "the broker speaks TLS on this port: set security.protocol to SSL or SASL_SSL, or use the port of its PLAINTEXT listener"}, true
	}
	var login *loginError
	if errors.As(err, &login) {
		return class{kind: ErrAuthentication, retriable: !login.final, advice: "check sasl.oauthbearer.token.endpoint.url and the client id and secret"}, true
	}
	return class{}, false
}

func isNetworkError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || kgo.IsRetryableBrokerErr(err)
}

// plainCause keeps the broker's code and description readable.
func plainCause(err error) error {
	var ke *kerr.Error
	if errors.As(err, &ke) && err == error(ke) { //nolint:errorlint // only the bare code is rewritten
		return fmt.Errorf("%w (%s)", kindOr(ke), ke.Message)
	}
	return err
}

// kindOr gives the plain words for a broker code: ours when there are some,
// otherwise the protocol's description.
func kindOr(ke *kerr.Error) error {
	if c, ok := brokerVerdicts[ke]; ok && c.kind != nil {
		return c.kind
	}
	return errors.New(strings.TrimSuffix(ke.Description, "."))
}
