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
		Verdict      Verdict
		found, fixes string
	}{
		"all is well": {func(*facts) {}, "connectors", Fine, "0 of 0 are well", ""},
		"nothing there": {func(f *facts) {
			f.aboutErr = &client.UnreachableError{Server: "http://a", Reason: errors.New("refused")}
		}, "REST API", Trouble, "refused", "check that a worker runs there"},
		"something else":     {func(f *facts) { f.aboutErr = &client.Error{Status: 401, Message: "who"} }, "REST API", Trouble, "who", "credentials"},
		"slow":               {func(f *facts) { f.took = 3 * time.Second }, "REST API", Warning, "answers", "3s"},
		"it starts":          {func(f *facts) { f.healthErr = &client.Error{Status: 503, Message: "starting"} }, "worker", Trouble, "starting", "wait"},
		"an old worker":      {func(f *facts) { f.healthErr = &client.Error{Status: 404} }, "worker", Fine, "does not tell", ""},
		"no cluster":         {func(f *facts) { f.about.KafkaClusterID = "" }, "Kafka", Trouble, "does not know", "bootstrap.servers"},
		"no plugins":         {func(f *facts) { f.plugins = nil }, "plugins", Trouble, "no connector", "plugin.path"},
		"plugins not told":   {func(f *facts) { f.pluginsErr = errors.New("no") }, "plugins", Trouble, "no", "log"},
		"a rebalance":        {func(f *facts) { f.listErr = &client.Error{Status: 409, Message: "rebalance"} }, "connectors", Trouble, "rebalance", "wait"},
		"a task failed":      {func(f *facts) { f.connectors = told(t) }, "connector orders", Trouble, "it has failed: task 1: no route to db", "restart orders --include-tasks --only-failed"},
		"a connector failed": {func(f *facts) { f.connectors = told(t) }, "connector rude", Trouble, "it has failed", "--trace"},
		"a plugin is gone":   {func(f *facts) { f.connectors = told(t) }, "connector lost", Trouble, "gone", "plugin.path"},
		"paused":             {func(f *facts) { f.connectors = told(t) }, "connector archive", Warning, "PAUSED", "resume archive"},
		"no status yet":      {func(f *facts) { f.connectors = told(t) }, "connector fresh", Warning, "no status", "moment"},
		"unassigned": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "UNASSIGNED"}}}}
		}, "connector u", Warning, "UNASSIGNED", "rebalance"},
		"no task": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "RUNNING"}}}}
		}, "connector u", Warning, "there is no task", "log"},
		"failed without a reason": {func(f *facts) {
			f.connectors = map[string]client.Expanded{"u": {Status: &client.Status{Connector: client.Instance{State: "FAILED"}}}}
		}, "connector u", Trouble, "it has failed", "restart u"},
	} {
		t.Run(name, func(t *testing.T) {
			f := well
			k.change(&f)
			for _, x := range diagnose(f) {
				if x.Check != k.check {
					continue
				}
				require.Equal(t, k.Verdict, x.Verdict)
				require.Contains(t, x.Found, k.found)
				require.Contains(t, x.Fix, k.fixes)
				require.Equal(t, x.Verdict == Fine, x.Fix == "", "what is not well has a fix")
				return
			}
			t.Fatalf("no finding about %s", k.check)
		})
	}
}
