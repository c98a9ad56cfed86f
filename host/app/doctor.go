package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
)

// doctorTimeout bounds each thing that the doctor waits for: a broker, a plugin, another server.
const doctorTimeout = 15 * time.Second

// doctor checks what a worker with this file needs, with the worker's own credentials, whether it runs or not.
func (a *app) doctor(ctx context.Context, file string) ([]cli.Finding, error) {
	props, err := config.ReadProperties(file)
	if err != nil {
		return nil, err
	}
	mode := config.Standalone
	if props["group.id"] != "" && props["offset.storage.file.filename"] == "" {
		mode = config.Distributed
	}
	settings, warnings, err := config.ParseWorker(mode, props)
	if err != nil {
		return []cli.Finding{{Check: "worker file", Verdict: cli.Trouble, Found: err.Error(), Fix: "correct " + file}}, nil //nolint:nilerr // what is wrong is a finding
	}
	out := []cli.Finding{{Check: "worker file", Verdict: cli.Fine, Found: fmt.Sprintf("%s is that of a %s worker", file, mode)}}
	for _, w := range warnings {
		out = append(out, cli.Finding{Check: "worker file", Verdict: cli.Warning, Found: w.String(), Fix: "remove or correct the key"})
	}
	if err := checkConverters(settings); err != nil {
		out = append(out, cli.Finding{Check: "converters", Verdict: cli.Trouble, Found: err.Error(), Fix: "correct the key"})
	}
	out = append(out, a.checkPlugins(ctx, file)...)
	out = append(out, checkListeners(ctx, settings)...)
	return append(out, checkKafka(ctx, settings)...), ctx.Err()
}

// checkPlugins starts each plugin and lets it describe itself.
func (a *app) checkPlugins(ctx context.Context, file string) []cli.Finding {
	listing, err := a.plugins(ctx, cli.PluginSource{WorkerFile: file, Logging: cli.Logging{Quiet: true}})
	if err != nil {
		return []cli.Finding{{Check: "plugins", Verdict: cli.Trouble, Found: err.Error(), Fix: "correct plugin.path"}}
	}
	var out []cli.Finding
	for _, b := range listing.Broken {
		out = append(out, cli.Finding{Check: "plugin " + b.Path, Verdict: cli.Trouble, Found: b.Reason, Fix: "replace it, or take it out of plugin.path"})
	}
	switch n := len(listing.Plugins); n {
	case 0:
		out = append(out, cli.Finding{Check: "plugins", Verdict: cli.Trouble, Found: "no plugin offers a connector", Fix: "put plugins into a folder of plugin.path"})
	default:
		out = append(out, cli.Finding{Check: "plugins", Verdict: cli.Fine, Found: fmt.Sprintf("%d connectors started and described themselves", n)})
	}
	return out
}

// checkListeners looks whether the REST addresses are free, or a worker's, and whether others can use the advertised one.
func checkListeners(ctx context.Context, settings *config.Worker) []cli.Finding {
	var out []cli.Finding
	rest := settings.REST
	for _, l := range slices.Concat(rest.Listeners, rest.AdminListeners) {
		out = append(out, checkListener(ctx, l))
	}
	if settings.Mode != config.Distributed {
		return out
	}
	host := rest.AdvertisedHost
	for i := 0; host == "" && i < len(rest.Listeners); i++ {
		if rest.AdvertisedListener == "" || rest.Listeners[i].Scheme == rest.AdvertisedListener {
			host = rest.Listeners[i].Host
		}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = hostname()
	}
	return append(out, checkAdvertised(ctx, host))
}

func checkListener(ctx context.Context, l config.Listener) cli.Finding {
	x := cli.Finding{Check: "listener " + l.String(), Verdict: cli.Fine}
	opened, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address())
	if err == nil {
		_ = opened.Close()
		x.Found = "free: no worker runs there now"
		return x
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if l.Scheme == "http" {
		host, port, _ := net.SplitHostPort(l.Address())
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/", nil)
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			x.Found = "a server answers there (" + answer.Status + ")"
			if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized {
				return x
			}
		}
	} else if errors.Is(err, syscall.EADDRINUSE) {
		x.Found = "in use; it is taken for the worker's"
		return x
	}
	x.Verdict, x.Fix = cli.Trouble, "stop the program that has the port, or choose another port or address in listeners"
	if x.Found == "" {
		x.Found = err.Error()
	}
	return x
}

// checkAdvertised: other workers send requests there.
func checkAdvertised(ctx context.Context, host string) cli.Finding {
	x := cli.Finding{Check: "advertised name", Verdict: cli.Fine, Found: host}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	switch {
	case err != nil:
		x.Verdict, x.Found = cli.Trouble, fmt.Sprintf("%s has no address: %v", host, err)
		x.Fix = "set rest.advertised.host.name to a name that the other workers can resolve"
	case !slices.ContainsFunc(addresses, func(a net.IPAddr) bool { return !a.IP.IsLoopback() }):
		x.Verdict, x.Found = cli.Warning, host+" is this machine only: workers on others cannot pass requests on to this one"
		x.Fix = "set rest.advertised.host.name (and listeners), unless all workers of the group run on this machine"
	}
	return x
}

// checkKafka checks the broker, and for a worker of a cluster its topics and rights.
func checkKafka(ctx context.Context, settings *config.Worker) []cli.Finding {
	servers := strings.Join(settings.BootstrapServers, ",")
	trouble := func(err error) []cli.Finding {
		fix := kafka.Advice(err)
		if fix == "" {
			fix = "check bootstrap.servers, security.protocol and what belongs to it, and that the broker runs"
		}
		return []cli.Finding{{Check: "Kafka", Verdict: cli.Trouble, Found: err.Error(), Fix: fix}}
	}
	cfg, warnings, err := kafka.ParseClientConfig(kafka.AdminClient, settings.ClientProps(settings.ClientID))
	if err != nil {
		return trouble(err)
	}
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return trouble(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if err := admin.WaitReady(ctx); err != nil {
		return trouble(err)
	}
	id, err := admin.ClusterID(ctx)
	if err != nil {
		return trouble(err)
	}
	brokers, err := admin.Brokers(ctx)
	if err != nil {
		return trouble(err)
	}
	out := []cli.Finding{{Check: "Kafka", Verdict: cli.Fine, Found: fmt.Sprintf("cluster %s at %s answers, with %d brokers", id, servers, brokers)}}
	for _, w := range warnings {
		out = append(out, cli.Finding{Check: "Kafka", Verdict: cli.Warning, Found: w, Fix: "remove or correct the key"})
	}
	if settings.Mode == config.Distributed {
		out = append(out, checkCluster(ctx, admin, settings.Cluster, brokers)...)
		out = append(out, checkTransactions(ctx, settings)...)
	}
	return out
}
