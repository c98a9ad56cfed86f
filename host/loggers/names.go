package loggers

import (
	"path"
	"runtime"
	"strings"
)

// sources says which logger writes a line, by the package below host/ and how the file's name begins. The first that fits counts.
var sources = []struct{ pkg, file, name string }{
	{"task", "sink", "org.apache.kafka.connect.runtime.WorkerSinkTask"},
	{"task", "", "org.apache.kafka.connect.runtime.WorkerSourceTask"},
	{"worker", "", "org.apache.kafka.connect.runtime.Worker"},
	{"herder", "", "org.apache.kafka.connect.runtime.AbstractHerder"},
	{"cluster", "", "org.apache.kafka.connect.runtime.distributed.WorkerCoordinator"},
	{"rest", "", "org.apache.kafka.connect.runtime.rest.RestServer"},
	{"plugin", "", "org.apache.kafka.connect.runtime.isolation.Plugins"},
	{"store", "", "org.apache.kafka.connect.storage.KafkaConfigBackingStore"},
	{"transform", "", "org.apache.kafka.connect.transforms"},
	{"convert", "", "org.apache.kafka.connect.storage.Converter"},
	{"kafka", "", "org.apache.kafka.clients"},
	{"app", "", "org.apache.kafka.connect.cli"},
}

// Root is the name of the logger above all.
const Root = "root"

// connectorPrefix begins the names of connectors' loggers.
const connectorPrefix = "connector."

const hostPackages = "github.com/tailrace/tailrace/host/"

// sourceOf names the logger of the code at pc; Root when it is none of the host's packages.
func sourceOf(pc uintptr) string {
	if pc == 0 {
		return Root
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	rest, ours := strings.CutPrefix(frame.Function, hostPackages)
	if !ours {
		return Root
	}
	pkg := rest[:max(0, strings.IndexAny(rest, "./"))]
	file := path.Base(frame.File)
	for _, s := range sources {
		if s.pkg == pkg && strings.HasPrefix(file, s.file) {
			return s.name
		}
	}
	return Root
}

// above is the next logger up; "" above the topmost.
func above(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '.'))]
}
