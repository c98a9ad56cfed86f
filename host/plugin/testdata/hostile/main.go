// Command hostile is a plugin for tests that, for every call, can do what a plugin must not do. It is written from the
// protocol alone, without the SDK and without go-plugin.
//
// What it does is told by the environment variable HOSTILE or, for what comes with a configuration, by the key "hostile":
// pairs "call=behaviour" with commas between. Calls are the words given to script.act; behaviours are in behave.go, and
// those of streams in source.go, sink.go and connector.go.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

func main() {
	environment := parseScript(os.Getenv("HOSTILE"))
	if os.Getenv("HOSTILE_IGNORE_KEEPALIVE") == "" {
		go watchKeepalive()
	}
	if environment.is("start", "handshake-garbage") {
		fmt.Println("Picked up JAVA_TOOL_OPTIONS: -Xmx1g")
		fmt.Println(strings.Repeat("x", 100_000))
		fmt.Println("1|noise|that|looks|like it")
	}
	if err := environment.act("start"); err != nil {
		fmt.Fprintln(os.Stderr, "start failed:", err)
		os.Exit(1)
	}
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "hostile.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(8<<20), grpc.InitialWindowSize(16<<20), grpc.InitialConnWindowSize(32<<20))
	pluginv1.RegisterConnectorPluginServiceServer(server, &plugin{script: environment})
	grpc_health_v1.RegisterHealthServer(server, &healthServer{Server: health.NewServer(), script: environment})
	server.RegisterService(&controller, &shutdown{script: environment})
	handshake(environment, socket)
	if environment.is("serve", "mute") {
		select {} // listens, and never accepts a connection
	}
	_ = server.Serve(listener)
}

func handshake(environment script, socket string) {
	switch environment["handshake"] {
	case "version":
		fmt.Printf("1|7|unix|%s|grpc\n", socket)
	case "core":
		fmt.Printf("2|1|unix|%s|grpc\n", socket)
	case "tcp":
		fmt.Println("1|1|tcp|127.0.0.1:80|grpc")
	case "elsewhere":
		fmt.Println("1|1|unix|/var/run/docker.sock|grpc")
	case "netrpc":
		fmt.Printf("1|1|unix|%s|netrpc\n", socket)
	case "mute":
	case "close":
		os.Stdout.Close()
	case "late":
		time.Sleep(300 * time.Millisecond)
		fmt.Printf("1|1|unix|%s|grpc\n", socket)
	default:
		fmt.Printf("1|1|unix|%s|grpc\n", socket)
	}
}

func watchKeepalive() {
	alive := os.NewFile(3, "keepalive")
	_, _ = alive.Read(make([]byte, 1))
	os.Exit(9)
}

type healthServer struct {
	*health.Server
	script script
}

func (h *healthServer) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if err := h.script.act("health"); err != nil {
		return nil, err
	}
	answer := grpc_health_v1.HealthCheckResponse_SERVING
	if h.script.is("health", "wrong") {
		answer = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	return &grpc_health_v1.HealthCheckResponse{Status: answer}, nil
}

type shutdown struct{ script script }

// controller is plugin.GRPCController, whose generated code is internal to go-plugin.
var controller = grpc.ServiceDesc{
	ServiceName: "plugin.GRPCController",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Shutdown",
		Handler: func(srv any, _ context.Context, _ func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := srv.(*shutdown).script.act("shutdown"); err != nil {
				return nil, err
			}
			time.AfterFunc(10*time.Millisecond, func() { os.Exit(0) })
			return &emptypb.Empty{}, nil
		},
	}},
}

type plugin struct {
	pluginv1.UnimplementedConnectorPluginServiceServer
	script    script
	describes int
}

func (p *plugin) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	if err := p.script.act("describe"); err != nil {
		return nil, err
	}
	p.describes++
	name, version := "hostile", "1.0.0"
	if given := os.Getenv("HOSTILE_NAME"); given != "" {
		name = given
	}
	if given := os.Getenv("HOSTILE_VERSION"); given != "" {
		version = given
	}
	answer := &pluginv1.DescribeResponse{Name: name, Version: version, Connectors: []*pluginv1.ConnectorDescription{
		{
			Name: name + "-source", Kind: pluginv1.ConnectorKind_CONNECTOR_KIND_SOURCE,
			Aliases:    []string{"com.example." + name + ".SourceConnector"},
			ConfigKeys: []*pluginv1.ConfigKey{{Name: "hostile", Type: pluginv1.ConfigType_CONFIG_TYPE_STRING}},
		},
		{Name: name + "-sink", Kind: pluginv1.ConnectorKind_CONNECTOR_KIND_SINK},
	}}
	switch p.script["describe"] {
	case "nothing":
		return &pluginv1.DescribeResponse{}, nil
	case "no-connectors":
		answer.Connectors = nil
	case "bad-name":
		answer.Name = "../../etc/passwd"
	case "bad-version":
		answer.Version = "newest"
	case "bad-kind":
		answer.Connectors[0].Kind = 77
	case "duplicate":
		answer.Connectors[1].Name = answer.Connectors[0].Name
	case "alias-duplicate":
		answer.Connectors[1].Aliases = []string{answer.Connectors[0].Name}
	case "bad-key":
		answer.Connectors[0].ConfigKeys[0].Name = ""
	case "changing":
		answer.Version = fmt.Sprintf("1.0.%d", p.describes)
	case "huge":
		answer.Sdk = strings.Repeat("x", 6<<20)
	}
	return answer, nil
}

func (p *plugin) Validate(_ context.Context, request *pluginv1.ValidateRequest) (*pluginv1.ValidateResponse, error) {
	configured := parseScript(request.GetConfig()["hostile"])
	if err := configured.act("validate"); err != nil {
		return nil, err
	}
	answer := &pluginv1.ValidateResponse{}
	for key, value := range request.GetConfig() {
		answer.Values = append(answer.Values, &pluginv1.ConfigValue{Name: key, Value: &value, Visible: true})
	}
	if configured.is("validate", "wrong") {
		answer.Values = append(answer.Values, &pluginv1.ConfigValue{Name: strings.Repeat("y", 9<<20)})
	}
	return answer, nil
}

var errAsked = status.Error(codes.Internal, "failing as asked")
