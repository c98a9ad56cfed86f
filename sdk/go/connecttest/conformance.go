package connecttest

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Options of Conformance.
type Options struct {
	// Configs are valid configurations by connector name. A connector without one is only
	// described and validated. A source must give at least one record with it, and may give them in many batches.
	Configs map[string]connect.Config
	// Transforms are valid options by the name of a transform. A transform without them is only described.
	Transforms map[string]connect.Config
	// Records are put into sinks, and go through transforms; without any, sinks are only assigned partitions, and transforms only started.
	Records []Record
	// Quiet is how long to wait for what must not come; 300 ms when 0.
	Quiet time.Duration
}

// Conformance holds a plugin against the protocol: what the comments in
// proto/tailrace/plugin/v1 promise of a plugin. With [Program] it runs a plugin in any language and also
// checks its process: the handshake, the keep-alive pipe, the cookie, kill -9.
func Conformance(t *testing.T, target Target, o Options) {
	t.Helper()
	if o.Quiet == 0 {
		o.Quiet = 300 * time.Millisecond
	}
	c := &conformance{target: target, o: o}
	if p, ok := target.(program); ok {
		c.program = &p
		t.Run("process", c.process)
	}
	in := target.launch(t)
	t.Run("describe", func(t *testing.T) { c.describe(t, in) })
	if c.description == nil {
		return
	}
	t.Run("validate", func(t *testing.T) { c.validate(t, in) })
	t.Run("unknown", func(t *testing.T) { c.unknown(t, in) })
	for name, cfg := range o.Transforms {
		t.Run(name, func(t *testing.T) { c.transform(t, in, name, cfg) })
	}
	for _, d := range c.description.GetConnectors() {
		cfg, ok := o.Configs[d.GetName()]
		if !ok {
			continue
		}
		t.Run(d.GetName(), func(t *testing.T) {
			t.Run("connector", func(t *testing.T) { c.connector(t, in, d, cfg) })
			var taskConfig connect.Config
			if taskConfig = c.taskConfigs[d.GetName()]; taskConfig == nil {
				taskConfig = cfg
			}
			if d.GetKind() == pluginv1.ConnectorKind_CONNECTOR_KIND_SOURCE {
				c.source(t, in, d.GetName(), taskConfig)
			} else {
				c.sink(t, in, d.GetName(), taskConfig)
			}
		})
	}
}

// describeTransforms checks what the plugin says of its transforms.
func (c *conformance) describeTransforms(t *testing.T, d *pluginv1.DescribeResponse) {
	names := make(map[string]bool)
	for _, step := range d.GetTransforms() {
		for _, name := range append([]string{step.GetName()}, step.GetAliases()...) {
			if name == "" || names[name] {
				t.Errorf("transform name or alias %q is empty or used twice", name)
			}
			names[name] = true
		}
		checkKeys(t, "transform", step.GetName(), step.GetConfigKeys())
	}
}

// transform walks the conversation of transform.proto, with all records in one batch and then each alone: a transform
// must not depend on how records are batched.
func (c *conformance) transform(t *testing.T, in *instance, name string, cfg connect.Config) {
	s, err := openTransform(in, name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.cancel()
	if err := s.send(&pluginv1.RunTransformRequest{}); err != nil { // a frame of a later version
		t.Fatal(err)
	}
	if len(c.o.Records) > 0 {
		together, err := s.apply(c.o.Records)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.o.Records {
			alone, err := s.apply(c.o.Records[i : i+1])
			if err != nil {
				t.Fatal(err)
			}
			if a, b := together[i], alone[0]; a.Changed != b.Changed || a.Dropped != b.Dropped || (a.Err == nil) != (b.Err == nil) ||
				a.Topic != b.Topic || !a.ValueSchema.Equal(b.ValueSchema) || !data.Equal(a.Value, b.Value) {
				t.Errorf("record %d is %+v in a batch and %+v alone", i, a, b)
			}
		}
	}
	if err := s.end(); err != nil {
		t.Errorf("the end of the stream: %v", err)
	}
}

type conformance struct {
	target      Target
	program     *program
	o           Options
	description *pluginv1.DescribeResponse
	taskConfigs map[string]connect.Config
}

func callContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	t.Cleanup(cancel)
	return ctx
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)

func (c *conformance) describe(t *testing.T, in *instance) {
	ask := func() *pluginv1.DescribeResponse {
		d, err := in.client.Describe(callContext(t), &pluginv1.DescribeRequest{HostVersion: "0.0.0", HostCapabilities: append(hostCapabilities, 9999)})
		if err != nil {
			t.Fatalf("Describe: %v", err)
		}
		return d
	}
	d := ask()
	if !proto.Equal(d, ask()) {
		t.Error("Describe answers differently the second time; the worker caches it by the file's checksum")
	}
	if !validName.MatchString(d.GetName()) {
		t.Errorf("plugin name %q: want lower case letters, digits, dots and dashes, at most 100 characters", d.GetName())
	}
	if d.GetVersion() == "" {
		t.Error("the plugin has no version")
	}
	if len(d.GetConnectors())+len(d.GetTransforms()) == 0 {
		t.Error("the plugin offers no connector and no transform")
	}
	c.describeTransforms(t, d)
	if n := proto.Size(d); n > 4<<20 {
		t.Errorf("the description takes %d bytes, the limit is 4 MiB", n)
	}
	names := make(map[string]bool)
	for _, con := range d.GetConnectors() {
		for _, name := range append([]string{con.GetName()}, con.GetAliases()...) {
			if name == "" || names[name] {
				t.Errorf("connector name or alias %q is empty or used twice", name)
			}
			names[name] = true
		}
		if con.GetKind() == pluginv1.ConnectorKind_CONNECTOR_KIND_UNSPECIFIED {
			t.Errorf("connector %q is neither source nor sink", con.GetName())
		}
		checkKeys(t, "connector", con.GetName(), con.GetConfigKeys())
	}
	c.description = d
}

func checkKeys(t *testing.T, what, name string, list []*pluginv1.ConfigKey) {
	keys := make(map[string]bool)
	for _, k := range list {
		if k.GetName() == "" || keys[k.GetName()] {
			t.Errorf("%s %q: key %q is empty or defined twice", what, name, k.GetName())
		}
		keys[k.GetName()] = true
		if k.GetType() == pluginv1.ConfigType_CONFIG_TYPE_UNSPECIFIED {
			t.Errorf("%s %q: key %q has no type", what, name, k.GetName())
		}
		if k.GetRequired() && k.DefaultValue != nil {
			t.Errorf("%s %q: key %q is required and has a default", what, name, k.GetName())
		}
		if k.GetDocumentation() == "" && !k.GetInternal() {
			t.Errorf("%s %q: key %q has no documentation", what, name, k.GetName())
		}
	}
}

// validate: wrong values are errors inside the answer, never a status.
func (c *conformance) validate(t *testing.T, in *instance) {
	for _, d := range c.description.GetConnectors() {
		garbage := make(map[string]string)
		for _, k := range d.GetConfigKeys() {
			garbage[k.GetName()] = "\x01 no such thing ☃"
		}
		cases := map[string]map[string]string{
			"nothing": nil, "garbage": garbage, "unknown keys": {"no.such.key": "x", "": "y"},
			"long": {"no.such.key": strings.Repeat("x", 1<<20)},
		}
		if cfg, ok := c.o.Configs[d.GetName()]; ok {
			cases["valid"] = cfg
		}
		for name, cfg := range cases {
			a, err := in.client.Validate(callContext(t), &pluginv1.ValidateRequest{Connector: d.GetName(), Config: cfg})
			if err != nil {
				t.Errorf("%s: validate %s: %v", d.GetName(), name, err)
				continue
			}
			c.checkValidation(t, d, name, a, cfg)
		}
	}
}

func (c *conformance) checkValidation(t *testing.T, d *pluginv1.ConnectorDescription, name string, a *pluginv1.ValidateResponse, cfg map[string]string) {
	byName := make(map[string]*pluginv1.ConfigValue)
	for i, v := range a.GetValues() {
		byName[v.GetName()] = v
		if i < len(d.GetConfigKeys()) && d.GetConfigKeys()[i].GetName() != v.GetName() {
			t.Errorf("%s: validate %s: value %d is of key %q, the definition has %q", d.GetName(), name, i, v.GetName(), d.GetConfigKeys()[i].GetName())
		}
	}
	for _, k := range d.GetConfigKeys() {
		v := byName[k.GetName()]
		switch {
		case v == nil:
			t.Errorf("%s: validate %s: no entry for key %q", d.GetName(), name, k.GetName())
		case name == "nothing" && k.GetRequired() && len(v.GetErrors()) == 0:
			t.Errorf("%s: validate %s: required key %q is missing and has no error", d.GetName(), name, k.GetName())
		case name == "nothing" && cfg[k.GetName()] == "" && k.DefaultValue != nil && v.GetValue() != k.GetDefaultValue():
			t.Errorf("%s: validate %s: key %q has value %q, its default is %q", d.GetName(), name, k.GetName(), v.GetValue(), k.GetDefaultValue())
		case name == "valid" && len(v.GetErrors()) > 0:
			t.Errorf("%s: validate %s: key %q: %s", d.GetName(), name, k.GetName(), strings.Join(v.GetErrors(), "; "))
		}
	}
}

// unknown: a connector that the plugin has not is an error, and the plugin goes on.
func (c *conformance) unknown(t *testing.T, in *instance) {
	if _, err := in.client.Validate(callContext(t), &pluginv1.ValidateRequest{Connector: "no-such-connector"}); err == nil {
		t.Error("Validate of an unknown connector succeeds")
	}
	s, err := in.client.RunSource(callContext(t))
	if err == nil {
		_ = s.Send(&pluginv1.RunSourceRequest{Epoch: 1, Frame: &pluginv1.RunSourceRequest_Start{Start: &pluginv1.StartSource{Connector: "no-such-connector", CreditBytes: 1}}})
		for err == nil {
			var m *pluginv1.RunSourceResponse
			if m, err = s.Recv(); m.GetFailure() != nil {
				err = status.Error(codes.NotFound, "")
			}
		}
	}
	if code := status.Code(err); code == codes.Unavailable || code == codes.DeadlineExceeded {
		t.Errorf("start of an unknown connector: %v", err)
	}
	if _, err := healthv1.NewHealthClient(in.conn).Check(callContext(t), &healthv1.HealthCheckRequest{Service: "plugin"}); err != nil {
		t.Errorf("health of \"plugin\" after that: %v", err)
	}
}

// connector walks the life cycle of connector.proto.
func (c *conformance) connector(t *testing.T, in *instance, d *pluginv1.ConnectorDescription, cfg connect.Config) {
	s, err := in.client.RunConnector(callContext(t))
	if err != nil {
		t.Fatal(err)
	}
	epoch := nextEpoch()
	send := func(m *pluginv1.RunConnectorRequest) {
		m.Epoch = epoch
		if err := s.Send(m); err != nil {
			t.Fatalf("send: %v", err)
		}
	}
	// recv skips what may come at any time and answers questions for offsets.
	recv := func() *pluginv1.RunConnectorResponse {
		for {
			m, err := s.Recv()
			if err != nil {
				t.Fatalf("the stream ended: %v", err)
			}
			if m.GetEpoch() != epoch {
				t.Fatalf("a frame has epoch %d, the stream has %d", m.GetEpoch(), epoch)
			}
			switch f := m.GetFrame().(type) {
			case *pluginv1.RunConnectorResponse_Heartbeat, *pluginv1.RunConnectorResponse_Logs, *pluginv1.RunConnectorResponse_Metrics,
				*pluginv1.RunConnectorResponse_RequestReconfiguration:
			case *pluginv1.RunConnectorResponse_ReadOffsets:
				send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Offsets{Offsets: &pluginv1.Offsets{
					RequestId: f.ReadOffsets.GetRequestId(), Offsets: make([][]byte, len(f.ReadOffsets.GetPartitions())),
				}}})
			default:
				return m
			}
		}
	}
	send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Start{Start: &pluginv1.StartConnector{
		Connector: d.GetName(), Name: "test", Config: cfg, HostCapabilities: hostCapabilities,
	}}})
	if m := recv(); m.GetStarted() == nil {
		t.Fatalf("the answer to Start is %T: %s", m.GetFrame(), m.GetFailure().GetError().GetMessage())
	}
	send(&pluginv1.RunConnectorRequest{}) // a frame of a later version
	for _, limit := range []uint32{3, 1} {
		send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TaskConfigs{TaskConfigs: &pluginv1.TaskConfigs{RequestId: uint64(limit), MaxTasks: limit}}})
		r := recv().GetTaskConfigsResult()
		switch {
		case r == nil || r.GetRequestId() != uint64(limit):
			t.Fatalf("no answer to TaskConfigs %d", limit)
		case r.GetError() != nil:
			t.Fatalf("TaskConfigs: %s", r.GetError().GetMessage())
		case len(r.GetConfigs()) > int(limit):
			t.Errorf("%d task configs, at most %d were asked for", len(r.GetConfigs()), limit)
		case len(r.GetConfigs()) > 0:
			if c.taskConfigs == nil {
				c.taskConfigs = make(map[string]connect.Config)
			}
			c.taskConfigs[d.GetName()] = r.GetConfigs()[0].GetConfig()
		}
	}
	send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Stop{Stop: &pluginv1.StopConnector{DeadlineMs: 5000}}})
	if m := recv(); m.GetStopped() == nil {
		t.Fatalf("the answer to Stop is %T", m.GetFrame())
	}
	_ = s.CloseSend()
	if m, err := s.Recv(); err == nil {
		t.Errorf("frame %T after Stopped", m.GetFrame())
	} else if status.Code(err) != codes.OK && err.Error() != "EOF" {
		t.Errorf("the stream ended with %v", err)
	}
}
