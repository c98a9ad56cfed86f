package herder

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/plugin/process"
)

const (
	// retrySoon is when to ask again after a conflict with another request.
	retrySoon = time.Second
	// resolveTimeout bounds the wait for plugins that are being looked at.
	resolveTimeout = 15 * time.Second
	// keepWarm is how long a process that validated waits for more work: the start of the
	// connector that was validated, or the next request of somebody who fills in a form.
	keepWarm = 5 * time.Second
	// maxChecks bounds the validations that run at the same time, each in a process.
	maxChecks = 8
)

// Validate implements Herder.
func (s *core) Validate(ctx context.Context, class string, cfg Config) (ConfigInfos, error) {
	given := cfg.class()
	switch {
	case cfg["connector.class"] != nil && !sameClass(given, class):
		return ConfigInfos{}, failed(BadRequest, "Included connector type %s does not match request type %s", *cfg["connector.class"], class)
	case given == "":
		return ConfigInfos{}, noType(cfg)
	}
	return s.validate(ctx, "", cfg)
}

// sameClass compares as Kafka Connect does: by the end of the names, without "Connector".
func sameClass(given, asked string) bool {
	return strings.HasSuffix(withoutConnector(given), withoutConnector(asked))
}

func withoutConnector(class string) string {
	if short := strings.TrimSuffix(class, "Connector"); short != "" {
		return short
	}
	return class
}

func (c Config) class() string {
	if v := c["connector.class"]; v != nil {
		return javaTrim(*v)
	}
	return ""
}

func noType(cfg Config) *Error {
	return failed(BadRequest, "Connector config %s contains no connector type", cfg)
}

// validate checks a configuration: the worker's part by host/config, the plugin's part by the plugin itself, in a
// process for the connector of that name, or in one for validation when the name is empty.
func (s *core) validate(ctx context.Context, name string, cfg Config) (ConfigInfos, error) {
	class := cfg.class()
	if class == "" {
		return ConfigInfos{}, noType(cfg)
	}
	props, nulls := cfg.split()
	resolveCtx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	resolved, err := s.plugins.Resolve(resolveCtx, class, config.VersionSetting(props, "connector.plugin.version"))
	installed := err == nil
	if !installed {
		// Another version may be there: then the findings say so.
		if resolved, err = s.plugins.List().Resolve(class, ""); err != nil {
			return ConfigInfos{}, s.noSuchClass(class, err)
		}
	}
	request := config.ValidateRequest{
		Kind: kindOf(resolved.Connector.Kind), Props: props, Nulls: nulls, Worker: s.settings, Plugins: s.installed(),
	}
	if !installed {
		return request.Validate(config.Report{}), nil
	}
	answer, err := s.ask(ctx, name, resolved, props, request.Questions())
	request.ExactlyOnce, request.TransactionBoundaries = answer.exactlyOnce, answer.boundaries
	infos := request.Validate(config.NewReport(definition(resolved.Connector.ConfigKeys), answer.values))
	if err != nil {
		addError(&infos, "connector.class", err.Error())
	}
	for key, why := range answer.failed {
		addError(&infos, key, why)
	}
	return infos, nil
}

// answer is what a plugin says of a configuration.
type answer struct {
	values                  []config.ConfigValue
	exactlyOnce, boundaries config.Support
	failed                  map[string]string // why a question could not be answered, by the key that it is about
}

// noSuchClass is the answer for a class that no plugin offers.
func (s *core) noSuchClass(class string, err error) *Error {
	var missing *plugin.NotFoundError
	if !errors.As(err, &missing) {
		return failed(BadRequest, "%s", err.Error())
	}
	text := "Failed to find any class that implements Connector and which name matches " + class + ", available connectors are: " +
		strings.Join(missing.Available, ", ")
	for _, broken := range missing.Broken {
		text += "; " + broken.Path + " cannot be used: " + broken.Reason
	}
	return failed(BadRequest, "%s", text)
}

// ask lets the plugin check its part, secrets resolved, and answer the questions. The error, masked, is for the user.
func (s *core) ask(ctx context.Context, name string, resolved plugin.Resolved, props map[string]string, questions config.Questions) (a answer, err error) {
	launch, resolution := s.launch(name, resolved, props)
	var values []plugin.ConfigValue
	err = s.checks.with(ctx, s.processes, launch, func(instance *plugin.Instance) (err error) {
		values, err = instance.Validate(ctx, resolved.Connector.Name, resolution.Props)
		if (err == nil || errors.Is(err, plugin.ErrUnsupported)) && questions != (config.Questions{}) {
			a, err = s.askSupport(ctx, instance, plugin.ConnectorStart{
				Connector: resolved.Connector.Name, Name: javaTrim(props["name"]), Config: resolution.Props, LogLevel: slog.LevelInfo,
				Offsets: noOffsets,
			}, questions, launch.Mask)
		}
		return err
	})
	switch {
	case errors.Is(err, plugin.ErrUnsupported):
		return a, nil // the definition alone counts
	case err != nil:
		return a, errors.New("The plugin " + resolved.Plugin.Description.Name + " could not validate the configuration: " + launch.Mask(err.Error()))
	}
	a.values = s.shown(resolved, values)
	return a, nil
}

// noOffsets are those of a connector that may not even exist.
func noOffsets(_ context.Context, partitions [][]byte) ([][]byte, error) {
	return make([][]byte, len(partitions)), nil
}

// askSupport asks a connector, which does not run, what it can do with a configuration.
func (s *core) askSupport(ctx context.Context, instance *plugin.Instance, start plugin.ConnectorStart, questions config.Questions, mask func(string) string) (answer, error) {
	a := answer{failed: map[string]string{}}
	stream, err := instance.InitializeConnector(ctx, start)
	if err != nil {
		return a, err
	}
	defer stream.Close()
	for _, q := range []struct {
		asked bool
		key   string
		ask   func(context.Context, map[string]string) (plugin.Support, error)
		to    *config.Support
	}{
		{questions.ExactlyOnce, "exactly.once.support", stream.ExactlyOnceSupport, &a.exactlyOnce},
		{questions.TransactionBoundaries, "transaction.boundary", stream.TransactionBoundarySupport, &a.boundaries},
	} {
		if !q.asked {
			continue
		}
		support, err := q.ask(ctx, start.Config)
		var remote *plugin.RemoteError
		switch {
		case errors.Is(err, plugin.ErrUnsupported):
			*q.to = config.Unknown
		case errors.As(err, &remote):
			a.failed[q.key] = "An unexpected error occurred during validation: " + mask(remote.Message)
		case err != nil:
			return a, err
		default:
			*q.to = supports[support]
		}
	}
	return a, nil
}

var supports = map[plugin.Support]config.Support{
	plugin.Supported: config.Supported, plugin.Unsupported: config.Unsupported, plugin.NoOpinion: config.Unknown,
}

// shown are the plugin's findings but for what its definition does not show.
func (s *core) shown(resolved plugin.Resolved, values []plugin.ConfigValue) []config.ConfigValue {
	out := make([]config.ConfigValue, 0, len(values))
	keys := map[string]plugin.ConfigKey{}
	for _, k := range resolved.Connector.ConfigKeys {
		keys[k.Name] = k
	}
	for _, v := range values {
		if !keys[v.Name].Internal || len(v.Errors) > 0 { // the definition does not show it either
			v.Value = asRead(v.Name, v.Value, config.Type(keys[v.Name].Type))
			out = append(out, config.ConfigValue(v))
		}
	}
	return out
}

// asRead shows a number or boolean as Kafka Connect does: as it was read, and null when it cannot be read.
func asRead(name string, text *string, t config.Type) *string {
	switch {
	case text == nil:
		return nil
	case t != config.Int && t != config.Short && t != config.Long && t != config.Double && t != config.Boolean:
		return text
	}
	value, err := config.ParseText(name, *text, t)
	if err != nil {
		return nil
	}
	if shown, ok := config.FormatValue(value); ok {
		return &shown
	}
	return nil
}

func limits(p config.Process) process.Limits {
	return process.Limits{MemoryBytes: p.MemoryLimitBytes, CPUs: float64(p.CPULimitMillis) / 1000}
}

func addError(infos *ConfigInfos, key, text string) {
	i := slices.IndexFunc(infos.Configs, func(c config.ConfigInfo) bool { return c.Value.Name == key })
	if i < 0 {
		infos.Configs = append(infos.Configs, config.ConfigInfo{Value: config.ConfigValue{Name: key, RecommendedValues: []string{}, Visible: true}})
		i = len(infos.Configs) - 1
	}
	infos.Configs[i].Value.Errors = append(infos.Configs[i].Value.Errors, text)
	infos.ErrorCount++
}

// checks asks plugins about connectors that do not run, and keeps the processes for a moment.
type checks struct {
	slots chan struct{}

	mu     sync.Mutex
	closed bool
	warm   map[*warm]struct{}
	ending sync.WaitGroup
}

// warm is a share of a process that is given back when its timer fires, or when it was for validation only and a
// connector is made: the form is filled in.
type warm struct {
	instance  *plugin.Instance
	path      string // the plugin
	connector string // empty when it is for validation only
	timer     *time.Timer
}

func newChecks() *checks {
	return &checks{slots: make(chan struct{}, maxChecks), warm: map[*warm]struct{}{}}
}

// with runs a question to a plugin in a process for the launch.
func (c *checks) with(ctx context.Context, processes Processes, launch plugin.Launch, question func(*plugin.Instance) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return errors.New("too many questions to plugins are under way; try again")
	}
	instance, err := processes.Acquire(ctx, launch)
	if err != nil {
		return err
	}
	err = question(instance)
	var late *plugin.TimeoutError
	if errors.As(err, &late) && ctx.Err() == nil {
		instance.Kill() // I-3: it hangs; nothing else runs on it
	}
	c.keep(&warm{instance: instance, path: launch.Plugin.Path, connector: launch.Connector})
	return err
}

func (c *checks) keep(w *warm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending.Add(1)
	if c.closed {
		go c.release(w)
		return
	}
	for old := range c.warm {
		if w.connector != "" && old.connector == "" && old.path == w.path {
			delete(c.warm, old)
			old.timer.Stop()
			go c.release(old)
		}
	}
	c.warm[w] = struct{}{}
	w.timer = time.AfterFunc(keepWarm, func() {
		c.mu.Lock()
		_, mine := c.warm[w]
		delete(c.warm, w)
		c.mu.Unlock()
		if mine {
			c.release(w)
		}
	})
}

func (c *checks) release(w *warm) {
	defer c.ending.Done()
	w.instance.Release()
}

// close gives everything back.
func (c *checks) close() {
	c.mu.Lock()
	c.closed = true
	left := c.warm
	c.warm = map[*warm]struct{}{}
	c.mu.Unlock()
	for w := range left {
		w.timer.Stop()
		go c.release(w)
	}
	c.ending.Wait()
}
