package connect_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// allPowers is a connector with every optional power.
type allPowers struct {
	host     *connect.ConnectorContext
	cfg      connect.Config
	altered  []connect.PartitionOffset
	deleted  bool
	validate func(context.Context, connect.Config) []connect.ConfigIssue
}

func (c *allPowers) Start(ctx context.Context, cfg connect.Config, host *connect.ConnectorContext) error {
	c.host, c.cfg = host, cfg
	switch cfg["fail"] {
	case "start":
		return errors.New("no route to host")
	case "panic":
		panic("out of luck")
	case "later":
		host.RaiseError(errors.New("lost the lease"))
	}
	o, err := host.Offsets().Offset(ctx, map[string]any{"table": "a"})
	if err != nil {
		return err
	}
	c.cfg = cfg.With("seen", o["n"].(string))
	host.RequestReconfiguration()
	return nil
}

func (c *allPowers) TaskConfigs(ctx context.Context, n int) ([]connect.Config, error) {
	if n == 99 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := make([]connect.Config, n)
	for i := range out {
		out[i] = c.cfg
	}
	return out, nil
}

func (c *allPowers) Stop(context.Context) error { return nil }

func (c *allPowers) Validate(ctx context.Context, cfg connect.Config) []connect.ConfigIssue {
	if c.validate != nil {
		return c.validate(ctx, cfg)
	}
	return nil
}

func (c *allPowers) AlterOffsets(_ context.Context, _ connect.Config, offsets []connect.PartitionOffset) error {
	c.altered = offsets
	if len(offsets) == 1 && offsets[0].Offset == nil {
		return nil
	}
	return errors.New("the table has no such row")
}

func (c *allPowers) ExactlyOnceSupport(context.Context, connect.Config) (bool, error) {
	return true, nil
}

func (c *allPowers) CanDefineTransactionBoundaries(context.Context, connect.Config) (bool, error) {
	return false, nil
}

func (c *allPowers) Deleted(context.Context, connect.Config) error {
	c.deleted = true
	return nil
}

func powersPlugin(c *allPowers) connect.Plugin {
	return connect.Plugin{Name: "powers", Version: "1.0.0", Sources: []connect.Source{{
		Name: "powers", Config: connect.DefineStruct(sample{}),
		Connector: func() connect.SourceConnector { return c },
		Task: func() connect.SourceTask {
			return &scripted{poll: func(ctx context.Context, _ *connect.Batch) error { <-ctx.Done(); return nil }}
		},
	}}}
}

func TestDescribeAndValidate(t *testing.T) {
	c := &allPowers{}
	client := connecttest.Client(t, connecttest.InProcess(powersPlugin(c)))
	ctx := context.Background()
	d, err := client.Describe(ctx, &pluginv1.DescribeRequest{})
	require.NoError(t, err)
	require.Equal(t, []pluginv1.Capability{
		pluginv1.Capability_CAPABILITY_EXACTLY_ONCE, pluginv1.Capability_CAPABILITY_TRANSACTION_BOUNDARIES,
		pluginv1.Capability_CAPABILITY_ALTER_OFFSETS, pluginv1.Capability_CAPABILITY_DELETE_HOOK,
	}, d.GetConnectors()[0].GetCapabilities())
	key := d.GetConnectors()[0].GetConfigKeys()[1]
	require.True(t, proto.Equal(&pluginv1.ConfigKey{
		Name: "batch.size", Type: pluginv1.ConfigType_CONFIG_TYPE_INT, DefaultValue: proto.String("2000"), Importance: pluginv1.Importance_IMPORTANCE_MEDIUM,
		Documentation: "Lines.", OrderInGroup: 2, DisplayName: "batch.size", Min: proto.Float64(1), Max: proto.Float64(5000),
	}, key), "%v", key)

	a, err := client.Validate(ctx, &pluginv1.ValidateRequest{Connector: "powers", Config: map[string]string{"batch.size": "x"}})
	require.NoError(t, err)
	require.Equal(t, []string{`Missing required configuration "file" which has no default value.`}, a.GetValues()[0].GetErrors())
	require.Equal(t, "x", a.GetValues()[1].GetValue())
	require.Len(t, a.GetValues()[1].GetErrors(), 1)
	require.Equal(t, "1", a.GetValues()[2].GetValue())

	c.validate = func(context.Context, connect.Config) []connect.ConfigIssue { panic("nil map") }
	a, err = client.Validate(ctx, &pluginv1.ValidateRequest{Connector: "powers", Config: map[string]string{"file": "x"}})
	require.NoError(t, err) // validation never fails
	last := a.GetValues()[len(a.GetValues())-1]
	require.Equal(t, "connector.class", last.GetName())
	require.Contains(t, last.GetErrors()[0], "nil map")
}

func mapBytes(t *testing.T, m map[string]any) []byte {
	t.Helper()
	v, err := data.Convert(nil, m)
	require.NoError(t, err)
	b, err := data.AppendValue(nil, nil, v)
	require.NoError(t, err)
	return b
}

// talk is the worker's side of RunConnector, step by step.
type talk struct {
	t *testing.T
	s pluginv1.ConnectorPluginService_RunConnectorClient
}

func openConnector(t *testing.T, c *allPowers, first *pluginv1.RunConnectorRequest) *talk {
	client := connecttest.Client(t, connecttest.InProcess(powersPlugin(c)))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	s, err := client.RunConnector(ctx)
	require.NoError(t, err)
	k := &talk{t, s}
	k.send(first)
	return k
}

func (k *talk) send(m *pluginv1.RunConnectorRequest) {
	m.Epoch = 7
	require.NoError(k.t, k.s.Send(m))
}

func (k *talk) recv() *pluginv1.RunConnectorResponse {
	k.t.Helper()
	for {
		m, err := k.s.Recv()
		require.NoError(k.t, err)
		require.Equal(k.t, uint64(7), m.GetEpoch())
		if m.GetHeartbeat() == nil {
			return m
		}
	}
}

func startPowers(cfg map[string]string) *pluginv1.RunConnectorRequest {
	return &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Start{Start: &pluginv1.StartConnector{Connector: "powers", Name: "p", Config: cfg}}}
}

func TestAConnectorStartsDividesAndStops(t *testing.T) {
	k := openConnector(t, &allPowers{}, startPowers(map[string]string{"a": "b"}))
	q := k.recv().GetReadOffsets()
	require.Equal(t, mapBytes(t, map[string]any{"table": "a"}), q.GetPartitions()[0])
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Offsets{Offsets: &pluginv1.Offsets{
		RequestId: q.GetRequestId(), Offsets: [][]byte{mapBytes(t, map[string]any{"n": "12"})},
	}}})
	require.NotNil(t, k.recv().GetRequestReconfiguration())
	require.NotNil(t, k.recv().GetStarted())
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TaskConfigs{TaskConfigs: &pluginv1.TaskConfigs{RequestId: 1, MaxTasks: 2}}})
	r := k.recv().GetTaskConfigsResult()
	require.Len(t, r.GetConfigs(), 2)
	require.Equal(t, map[string]string{"a": "b", "seen": "12"}, r.GetConfigs()[0].GetConfig())

	// A stop ends a call that hangs.
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TaskConfigs{TaskConfigs: &pluginv1.TaskConfigs{RequestId: 2, MaxTasks: 99}}})
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Stop{Stop: &pluginv1.StopConnector{DeadlineMs: 1000}}})
	require.NotNil(t, k.recv().GetTaskConfigsResult().GetError())
	require.Nil(t, k.recv().GetStopped().GetError())
	require.NoError(t, k.s.CloseSend())
	_, err := k.s.Recv()
	require.EqualError(t, err, "EOF")
}

func TestConnectorFailures(t *testing.T) {
	for how, want := range map[string]string{
		"start": "start: no route to host", "panic": "start: the connector's code panicked in start: out of luck",
	} {
		k := openConnector(t, &allPowers{}, startPowers(map[string]string{"fail": how}))
		require.Equal(t, want, k.recv().GetFailure().GetError().GetMessage())
		_, err := k.s.Recv()
		require.EqualError(t, err, "EOF")
	}
}

func TestQuestionsWithoutStart(t *testing.T) {
	c := &allPowers{}
	k := openConnector(t, c, &pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Initialize{
		Initialize: &pluginv1.InitializeConnector{Connector: "powers", Name: "p"},
	}})
	part := mapBytes(t, map[string]any{"table": "a"})
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_AlterOffsets{AlterOffsets: &pluginv1.AlterOffsets{
		RequestId: 1, Offsets: []*pluginv1.PartitionOffset{{Partition: part}},
	}}})
	require.True(t, k.recv().GetAlterOffsetsResult().GetHandled())
	require.Equal(t, []connect.PartitionOffset{{Partition: map[string]any{"table": "a"}}}, c.altered)
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_AlterOffsets{AlterOffsets: &pluginv1.AlterOffsets{
		RequestId: 2, Offsets: []*pluginv1.PartitionOffset{{Partition: part, Offset: part}},
	}}})
	require.Equal(t, "the table has no such row", k.recv().GetAlterOffsetsResult().GetError().GetMessage())
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_ExactlyOnceSupport{ExactlyOnceSupport: &pluginv1.ExactlyOnceSupport{RequestId: 3}}})
	require.Equal(t, pluginv1.Support_SUPPORT_SUPPORTED, k.recv().GetSupportResult().GetSupport())
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_TransactionBoundarySupport{
		TransactionBoundarySupport: &pluginv1.TransactionBoundarySupport{RequestId: 4},
	}})
	require.Equal(t, pluginv1.Support_SUPPORT_UNSUPPORTED, k.recv().GetSupportResult().GetSupport())
	k.send(&pluginv1.RunConnectorRequest{Frame: &pluginv1.RunConnectorRequest_Deleted{Deleted: &pluginv1.Deleted{RequestId: 5}}})
	require.Nil(t, k.recv().GetDeletedResult().GetError())
	require.True(t, c.deleted)
	require.NoError(t, k.s.CloseSend())
	_, err := k.s.Recv()
	require.EqualError(t, err, "EOF")
}

func TestConformanceInProcess(t *testing.T) {
	sink := &memorySink{}
	p := sourcePlugin(counting(100_000, 500))
	p.Sinks = []connect.Sink{{Name: "sink", Task: func() connect.SinkTask { return sink }}}
	connecttest.Conformance(t, connecttest.InProcess(p), connecttest.Options{
		Configs: map[string]connect.Config{"test": {"a": "b"}, "sink": {}},
		Records: []connecttest.Record{text(0, "a"), text(0, "b"), text(1, "c")},
		Quiet:   50 * time.Millisecond,
	})
}
