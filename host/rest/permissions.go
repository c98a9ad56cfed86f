package rest

import (
	"net/http"

	"github.com/tailrace/tailrace/host/access"
)

// scope says where somebody needs the role.
type scope int

const (
	// on the connector in the path.
	named scope = iota
	// on some connector: the handler leaves out, or refuses, the others.
	somewhere
	// on all connectors.
	everywhere
	// nowhere: it is enough to be let in.
	insiders
	// of nobody: the request is signed by another worker, and the herder checks the signature (reference section 1.3).
	signed
)

// permission is what a request needs.
type permission struct {
	role   access.Role
	on     scope
	action string // its name in the audit log
}

// permissions is the table of who may do what. A request that is not in it needs
// the role admin on all connectors; a test wants every request in it.
var permissions = map[string]permission{
	"GET /":                                             {access.Nobody, insiders, "worker.about"},
	"GET /health":                                       {access.Nobody, insiders, "worker.health"},
	"GET /openapi.json":                                 {access.Nobody, insiders, "worker.api"},
	"GET /v1/explorer":                                  {access.Nobody, insiders, "worker.explorer"},
	"GET /connectors":                                   {access.Viewer, somewhere, "connector.list"},
	"POST /connectors":                                  {access.Admin, somewhere, "connector.create"},
	"GET /connectors/{connector}":                       {access.Viewer, named, "connector.get"},
	"DELETE /connectors/{connector}":                    {access.Admin, named, "connector.delete"},
	"GET /connectors/{connector}/config":                {access.Viewer, named, "connector.config.get"},
	"PUT /connectors/{connector}/config":                {access.Admin, named, "connector.config.put"},
	"PATCH /connectors/{connector}/config":              {access.Admin, named, "connector.config.patch"},
	"GET /connectors/{connector}/status":                {access.Viewer, named, "connector.status"},
	"GET /connectors/{connector}/topics":                {access.Viewer, named, "connector.topics.get"},
	"PUT /connectors/{connector}/topics/reset":          {access.Operator, named, "connector.topics.reset"},
	"PUT /connectors/{connector}/pause":                 {access.Operator, named, "connector.pause"},
	"PUT /connectors/{connector}/resume":                {access.Operator, named, "connector.resume"},
	"PUT /connectors/{connector}/stop":                  {access.Operator, named, "connector.stop"},
	"POST /connectors/{connector}/restart":              {access.Operator, named, "connector.restart"},
	"GET /connectors/{connector}/offsets":               {access.Viewer, named, "connector.offsets.get"},
	"PATCH /connectors/{connector}/offsets":             {access.Admin, named, "connector.offsets.alter"},
	"DELETE /connectors/{connector}/offsets":            {access.Admin, named, "connector.offsets.reset"},
	"GET /connectors/{connector}/tasks":                 {access.Viewer, named, "connector.tasks.get"},
	"POST /connectors/{connector}/tasks":                {access.Nobody, signed, "connector.tasks.put"},
	"PUT /connectors/{connector}/fence":                 {access.Nobody, signed, "connector.fence"},
	"GET /connectors/{connector}/tasks/{task}/status":   {access.Viewer, named, "task.status"},
	"POST /connectors/{connector}/tasks/{task}/restart": {access.Operator, named, "task.restart"},
	"GET /connector-plugins":                            {access.Viewer, somewhere, "plugin.list"},
	"GET /connector-plugins/{plugin}/config":            {access.Viewer, somewhere, "plugin.describe"},
	"PUT /connector-plugins/{plugin}/config/validate":   {access.Operator, somewhere, "plugin.validate"},
	"GET /admin/loggers":                                {access.Viewer, everywhere, "logger.list"},
	"GET /admin/loggers/{logger}":                       {access.Viewer, everywhere, "logger.get"},
	"PUT /admin/loggers/{logger}":                       {access.Admin, everywhere, "logger.set"},
	"GET /metrics":                                      {access.Viewer, everywhere, "metrics.get"},
	"GET /v1/connectors/{connector}/progress":           {access.Viewer, named, "connector.progress"},
	"GET /v1/connectors/{connector}/logs":               {access.Viewer, named, "connector.logs"},
	"GET /v1/worker":                                    {access.Viewer, everywhere, "worker.figures"},
	"GET /v1/processes":                                 {access.Viewer, everywhere, "worker.processes"},
	"GET /v1/events":                                    {access.Viewer, everywhere, "worker.events"},
	"GET /v1/topics/{topic}/records":                    {access.Operator, everywhere, "topic.records"},
	"POST /v1/preview":                                  {access.Admin, everywhere, "connector.preview"},
}

// needs looks a request up. HEAD needs what GET needs, and OPTIONS only an insider.
func needs(method, path string) permission {
	switch method {
	case http.MethodHead:
		method = http.MethodGet
	case http.MethodOptions:
		return permission{access.Nobody, insiders, "options"}
	}
	if p, ok := permissions[method+" "+path]; ok {
		return p
	}
	return permission{access.Admin, everywhere, method + " " + path}
}
