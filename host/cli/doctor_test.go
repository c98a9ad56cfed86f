package cli

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cli/client"
)

func TestDoctorNamesWhatIsWrongAndWhatToDo(t *testing.T) {
	well := facts{
		server: "http://a", about: client.About{Version: "4.1.0", KafkaClusterID: "k"}, health: client.Health{Message: "ready"},
		plugins: []client.Plugin{{Class: "x"}},
	}
	for name, k := range map[string]struct {
		change       func(*facts)
		check        string
		verdict      verdict
		found, fixes string
	}{
		"all is well": {func(*facts) {}, "connectors", fine, "0 of 0 are well", ""},
		"nothing there": {func(f *facts) {
			f.aboutErr = &client.UnreachableError{Server: "http://a", Reason: errors.New("refused")}
		}, "REST API", trouble, "refused", "check that a worker runs there"},
		"something else":     {func(f *facts) { f.aboutErr = &client.Error{Status: 401, Message: "who"} }, "REST API", trouble, "who", "credentials"},
		"slow":               {func(f *facts) { f.took = 3 * time.Second }, "REST API", warning, "answers", "3s"},
		"it starts":          {func(f *facts) { f.healthErr = &client.Error{Status: 503, Message: "starting"} }, "worker", trouble, "starting", "wait"},
		"an old worker":      {func(f *facts) { f.healthErr = &client.Error{Status: 404} }, "worker", fine, "does not tell", ""},
		"no cluster":         {func(f *facts) { f.about.KafkaClusterID = "" }, "Kafka", trouble, "does not know", "bootstrap.servers"},
		"no plugins":         {func(f *facts) { f.plugins = nil }, "plugins", trouble, "no connector", "plugin.path"},
		"plugins not told":   {func(f *facts) { f.pluginsErr = errors.New("no") }, "plugins", trouble, "no", "log"},
		"a rebalance":        {func(f *facts) { f.listErr = &client.Error{Status: 409, Message: "rebalance"} }, "connectors", trouble, "rebalance", "wait"},
		"a task failed":      {func(f *facts) { f.connectors = told(t) }, "connector orders", trouble, "it has failed: task 1: no route to db", "restart orders --include-tasks --only-failed"},
		"a connector failed": {func(f *facts) { f.connectors = told(t) }, "connector rude", trouble, "it has failed", "--trace"},
		"a plugin is gone":   {func(f *facts) { f.connectors = told(t) }, "connector lost", trouble, "gone", "plugin.path"},
		"paused":             {func(f *facts) { f.connectors = told(t) }, "connector archive", warning, "PAUSED", "resume archive"},
		"no status yet":      {func(f *facts) { f.connectors = told(t) }, "connector fresh", warning, "no status", "moment"},
		"unassigned": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "UNASSIGNED"}}}}
		}, "connector u", warning, "UNASSIGNED", "rebalance"},
		"no task": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "RUNNING"}}}}
		}, "connector u", warning, "there is no task", "log"},
		"failed without a reason": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "FAILED"}}}}
		}, "connector u", trouble, "it has failed", "restart u"},
	} {
		t.Run(name, func(t *testing.T) {
			f := well
			k.change(&f)
			for _, x := range diagnose(f) {
				if x.Check != k.check {
					continue
				}
				require.Equal(t, k.verdict, x.Verdict)
				require.Contains(t, x.Found, k.found)
				require.Contains(t, x.Fix, k.fixes)
				require.Equal(t, x.Verdict == fine, x.Fix == "", "what is not well has a fix")
				return
			}
			t.Fatalf("no finding about %s", k.check)
		})
	}
}
