package config

import (
	"errors"
	"math"
	"strings"
)

// Isolation says how connectors and tasks share processes.
type Isolation string

// The values of process.isolation.
const (
	// IsolateConnector gives a connector one process on each worker, for itself
	// and its tasks there.
	IsolateConnector Isolation = "connector"
	// IsolateTask gives the connector and each task a process of its own.
	IsolateTask Isolation = "task"
	// IsolatePlugin lets all connectors of a plugin on a worker share one process.
	IsolatePlugin Isolation = "plugin"
)

// Process says how the plugin's process is run.
type Process struct {
	Isolation Isolation
	// Env are the variables granted to the process, besides what every plugin
	// gets. Nothing of the worker's own environment is passed on (I-9).
	Env map[string]string
	// MemoryLimitBytes is 0 for no limit.
	MemoryLimitBytes int64
	// CPULimitMillis is thousandths of a processor; 0 for no limit.
	CPULimitMillis int64
}

func (c *Connector) readProcess(props map[string]string) error {
	v, err := ProcessDef().Parse(props)
	errs := []error{err}
	c.Process = Process{Isolation: Isolation(v.Text(ProcessIsolationKey)), Env: withPrefix(props, ProcessEnvPrefix)}
	c.TaskCreditBytes = v.Int(TaskCreditBytesKey)
	if text := v.Text(ProcessMemoryLimitKey); text != "" {
		// A text that does not parse has been reported by the definition.
		c.Process.MemoryLimitBytes, _ = ParseByteSize(text)
	}
	if cpus, ok := v[ProcessCPULimitKey].(float64); ok {
		c.Process.CPULimitMillis = int64(math.Round(cpus * 1000))
	}
	for _, name := range sortedKeys(c.Process.Env) {
		errs = append(errs, checkEnvName(name), checkEnvValue(name, c.Process.Env[name]))
	}
	return errors.Join(errs...)
}

// checkEnvName refuses names that no environment can hold, and the two families of
// variables by which the host itself speaks to the process.
func checkEnvName(name string) error {
	if strings.ContainsAny(name, "=\x00") {
		return Invalid(ProcessEnvPrefix+name, name, "the name of an environment variable has no = and no NUL")
	}
	if strings.HasPrefix(name, "TAILRACE_") || strings.HasPrefix(name, "PLUGIN_") {
		return Invalid(ProcessEnvPrefix+name, name, "names starting with TAILRACE_ or PLUGIN_ are reserved for the worker; choose another name")
	}
	return nil
}

func checkEnvValue(name, value string) error {
	if strings.ContainsRune(value, 0) {
		return Invalid(ProcessEnvPrefix+name, Hidden, "the value of an environment variable has no NUL")
	}
	return nil
}
