package app

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailrace/tailrace/host/metrics"
	"github.com/tailrace/tailrace/host/observe"
	"github.com/tailrace/tailrace/host/rest"
)

// serve offers the REST API on the listeners. The admin part is there too, unless
// admin.listeners says otherwise.
func (p *parts) serve() {
	settings := p.settings.REST
	options := rest.Options{Security: p.security, CORS: rest.CORS{AllowOrigin: settings.AllowOrigin, AllowMethods: settings.AllowMethods}}
	for _, rule := range settings.ResponseHeaders {
		options.Headers = append(options.Headers, rest.HeaderRule(rule))
	}
	var more []prometheus.Collector
	if p.membership != nil {
		more = append(more, metrics.Members(p.membership))
	}
	options.Metrics = metrics.Handler(p.worker, p.processes, p.logger, more...)
	options.Peers, options.WorkerID, options.PeerScheme = p.peers, p.advertised.Host, p.advertised.Scheme
	options.Station = observe.NewStation(observe.Config{
		WorkerID: p.advertised.Host, Version: p.version, Worker: p.worker, Processes: p.processes, Lines: p.levels.Tail(), Events: p.events,
	})
	options.Stopping = p.stopping
	admin := options
	admin.Metrics, admin.Station = nil, nil
	admin.Loggers, admin.SetClusterLevel = p.levels, p.setClusterLevel
	if settings.AdminListeners == nil {
		options.Loggers, options.SetClusterLevel = p.levels, p.setClusterLevel
	}
	p.serveOn(rest.Handler(p.herder, options), p.listeners)
	if len(p.admin) > 0 {
		p.serveOn(rest.Admin(admin), p.admin)
	}
}

func (p *parts) serveOn(handler http.Handler, listeners []rest.Listener) {
	server := rest.Serve(handler, rest.ServerOptions{
		Version: p.version, Limits: rest.Limits(p.settings.REST.Limits), Audit: p.security.Audit, Logger: p.logger,
	}, listeners...)
	p.onClose(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, restStopTimeout)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			p.logger.Warn("requests were cut off", "error", err)
		}
		return nil
	})
}
