package connect

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// Version of the SDK, told in descriptions.
const Version = "0.1.0"

// validateTimeout bounds a Validator.
const validateTimeout = 5 * time.Second

// service is the plugin's gRPC service.
type service struct {
	pluginv1.UnimplementedConnectorPluginServiceServer
	plugin *Plugin
}

// NewService is the protocol's service for a plugin, as Serve offers it on its socket. It is
// for test kits that bring their own transport; a plugin calls [Serve].
func NewService(p Plugin) (pluginv1.ConnectorPluginServiceServer, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return &service{plugin: &p}, nil
}

// Describe says what the plugin offers: the same for one build of it.
func (s *service) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return describe(s.plugin)
}

func describe(p *Plugin) (*pluginv1.DescribeResponse, error) {
	out := &pluginv1.DescribeResponse{
		Name: p.Name, Version: p.Version, Sdk: "sdk-go " + Version,
		Capabilities: []pluginv1.Capability{pluginv1.Capability_CAPABILITY_LOGS},
	}
	for i := range p.Sources {
		src := &p.Sources[i]
		c, err := newConnector(src.Name, src.connector)
		if err != nil {
			return nil, err
		}
		out.Connectors = append(out.Connectors, &pluginv1.ConnectorDescription{
			Name: src.Name, Kind: pluginv1.ConnectorKind_CONNECTOR_KIND_SOURCE, Version: src.Version, Aliases: src.Aliases,
			Documentation: src.Doc, ConfigKeys: describeKeys(src.Config), Capabilities: capabilities(c),
		})
	}
	for i := range p.Sinks {
		sink := &p.Sinks[i]
		c, err := newConnector(sink.Name, sink.connector)
		if err != nil {
			return nil, err
		}
		out.Connectors = append(out.Connectors, &pluginv1.ConnectorDescription{
			Name: sink.Name, Kind: pluginv1.ConnectorKind_CONNECTOR_KIND_SINK, Version: sink.Version, Aliases: sink.Aliases,
			Documentation: sink.Doc, ConfigKeys: describeKeys(sink.Config), Capabilities: capabilities(c),
		})
	}
	for i := range p.Transforms {
		t := &p.Transforms[i]
		out.Transforms = append(out.Transforms, &pluginv1.TransformDescription{
			Name: t.Name, Version: t.Version, Aliases: t.Aliases, Documentation: t.Doc, ConfigKeys: describeKeys(t.Config),
		})
	}
	return out, nil
}

// capabilities are the optional powers that a connector's type shows.
func capabilities(c Connector) []pluginv1.Capability {
	var out []pluginv1.Capability
	if _, ok := c.(ExactlyOnceSupporter); ok {
		out = append(out, pluginv1.Capability_CAPABILITY_EXACTLY_ONCE)
	}
	if _, ok := c.(TransactionBoundaries); ok {
		out = append(out, pluginv1.Capability_CAPABILITY_TRANSACTION_BOUNDARIES)
	}
	_, source := c.(OffsetAlterer)
	_, sink := c.(SinkOffsetAlterer)
	if source || sink {
		out = append(out, pluginv1.Capability_CAPABILITY_ALTER_OFFSETS)
	}
	if _, ok := c.(Deleter); ok {
		out = append(out, pluginv1.Capability_CAPABILITY_DELETE_HOOK)
	}
	return out
}

func describeKeys(d *ConfigDef) []*pluginv1.ConfigKey {
	var out []*pluginv1.ConfigKey
	inGroup := make(map[string]int32)
	for _, k := range d.Keys() {
		inGroup[k.Group]++
		p := &pluginv1.ConfigKey{
			Name: k.Name, Type: configTypes[k.Type], Required: k.Required, Importance: importances[k.Importance],
			Documentation: k.Doc, Group: k.Group, OrderInGroup: inGroup[k.Group], DisplayName: k.DisplayName,
			Dependents: k.Dependents, ValidValues: k.ValidValues,
			Min: k.Min, Max: k.Max, Internal: k.Internal,
		}
		if k.AnyCase {
			p.ValidValues = nil // the worker compares exactly; Validate does not
		}
		if p.DisplayName == "" {
			p.DisplayName = k.Name
		}
		if k.HasDefault {
			p.DefaultValue = &k.Default
		}
		out = append(out, p)
	}
	return out
}

var configTypes = map[ConfigType]pluginv1.ConfigType{
	TypeString: pluginv1.ConfigType_CONFIG_TYPE_STRING, TypeBool: pluginv1.ConfigType_CONFIG_TYPE_BOOLEAN,
	TypeInt: pluginv1.ConfigType_CONFIG_TYPE_INT, TypeShort: pluginv1.ConfigType_CONFIG_TYPE_SHORT,
	TypeLong: pluginv1.ConfigType_CONFIG_TYPE_LONG, TypeDouble: pluginv1.ConfigType_CONFIG_TYPE_DOUBLE,
	TypeList: pluginv1.ConfigType_CONFIG_TYPE_LIST, TypeClass: pluginv1.ConfigType_CONFIG_TYPE_CLASS,
	TypePassword: pluginv1.ConfigType_CONFIG_TYPE_PASSWORD,
}

var importances = map[Importance]pluginv1.Importance{
	High: pluginv1.Importance_IMPORTANCE_HIGH, Medium: pluginv1.Importance_IMPORTANCE_MEDIUM, Low: pluginv1.Importance_IMPORTANCE_LOW,
}

// Validate checks a configuration. What is wrong is in the answer, never a status.
func (s *service) Validate(ctx context.Context, req *pluginv1.ValidateRequest) (*pluginv1.ValidateResponse, error) {
	def, c, err := s.connector(req.GetConnector())
	if err != nil {
		return nil, err
	}
	cfg := Config(req.GetConfig())
	issues := def.Validate(cfg)
	if v, ok := c.(Validator); ok && len(issues) == 0 {
		ctx, cancel := context.WithTimeout(ctx, validateTimeout)
		defer cancel()
		issues = runValidator(ctx, v, cfg)
	}
	return &pluginv1.ValidateResponse{Values: validated(def, cfg, issues)}, nil
}

// connector finds a type and makes an object of it that is not started.
func (s *service) connector(name string) (*ConfigDef, Connector, error) {
	if src, err := s.plugin.source(name); err == nil {
		c, err := newConnector(name, src.connector)
		return src.Config, c, err
	}
	sink, err := s.plugin.sink(name)
	if err != nil {
		return nil, nil, status.Errorf(codes.NotFound, "plugin %s %s has no connector named %q", s.plugin.Name, s.plugin.Version, name)
	}
	c, err := newConnector(name, sink.connector)
	return sink.Config, c, err
}

// runValidator waits for the validator no longer than ctx: it may hang on the outside world.
func runValidator(ctx context.Context, v Validator, cfg Config) []ConfigIssue {
	result := make(chan []ConfigIssue, 1)
	go func() {
		var issues []ConfigIssue
		var c calls
		if err := c.guard("validate", func() error { issues = v.Validate(ctx, cfg); return nil }); err != nil {
			issues = []ConfigIssue{{Key: connectorClassKey, Message: "The configuration could not be checked: " + err.Error()}}
		}
		result <- issues
	}()
	select {
	case issues := <-result:
		return issues
	case <-ctx.Done():
		return []ConfigIssue{{Key: connectorClassKey, Message: "The configuration could not be checked within " + validateTimeout.String() +
			". The system that the connector looks at may be slow or unreachable."}}
	}
}

// connectorClassKey takes the issues that belong to no key.
const connectorClassKey = "connector.class"

func validated(def *ConfigDef, cfg Config, issues []ConfigIssue) []*pluginv1.ConfigValue {
	var out []*pluginv1.ConfigValue
	byName := make(map[string]*pluginv1.ConfigValue)
	for i := range def.Keys() {
		k := &def.keys[i]
		v := &pluginv1.ConfigValue{Name: k.Name, Visible: true, RecommendedValues: k.ValidValues}
		if text, ok := def.value(k, cfg); ok {
			if k.Type == TypeString {
				text = strings.TrimSpace(text) // as Kafka Connect reads and shows it
			}
			v.Value = &text
		}
		if k.Recommend != nil {
			var c calls
			_ = c.guard("recommend", func() error { v.RecommendedValues, v.Visible = k.Recommend(cfg); return nil })
		}
		out = append(out, v)
		byName[k.Name] = v
	}
	for _, issue := range issues {
		key := issue.Key
		if key == "" {
			key = connectorClassKey
		}
		if byName[key] == nil {
			v := &pluginv1.ConfigValue{Name: key, Visible: true}
			if text, ok := cfg[key]; ok {
				v.Value = &text
			}
			out = append(out, v)
			byName[key] = v
		}
		byName[key].Errors = append(byName[key].Errors, cut(issue.Message, 4<<10))
	}
	for _, v := range out {
		v.Errors = slices.Compact(v.Errors)
	}
	return out
}

func (s *Source) connector() Connector {
	if s.Connector == nil {
		return &singleTask{}
	}
	return s.Connector()
}

func (s *Sink) connector() Connector {
	if s.Connector == nil {
		return &singleTask{}
	}
	return s.Connector()
}

// newConnector makes a connector object; a panic or nil is an error.
func newConnector(name string, f func() Connector) (c Connector, err error) {
	var under calls
	err = under.guard("new", func() error {
		if c = f(); c == nil {
			return status.Errorf(codes.Internal, "connector %q made no object: its Connector function returned nil", name)
		}
		return nil
	})
	return c, err
}
