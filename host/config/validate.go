package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/config/javamap"
)

// nullValue is Kafka's text for a null in a connector's configuration.
const nullValue = "Null value can not be supplied as the configuration value."

// Validate checks every key of the definition and returns a finding for each, in
// definition order. Keys that the definition does not know are not reported.
func (d *Def) Validate(props map[string]string) []ConfigValue { return d.validate(props, nil) }

// validate is Validate with the keys that were given as null.
func (d *Def) validate(props map[string]string, nulls []string) []ConfigValue {
	values := make([]ConfigValue, 0, len(d.keys))
	for _, k := range d.keys {
		v := ConfigValue{Name: k.Name, Visible: true}
		var value any
		var errs []error
		if slices.Contains(nulls, k.Name) {
			if k.Validator != nil {
				errs = append(errs, k.Validator.Validate(k.Name, nil))
			}
		} else {
			value, errs = k.read(props)
		}
		if text, ok := FormatValue(value); ok {
			v.Value = &text
		}
		for _, err := range errs {
			v.Errors = appendError(v.Errors, err)
		}
		if k.Recommender != nil {
			v.RecommendedValues, v.Visible = k.Recommender(k.Name, props)
		}
		values = append(values, normal(v))
	}
	return values
}

// appendError adds an error's text, or each of a joined one's.
func appendError(texts []string, err error) []string {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return texts
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			texts = appendError(texts, e)
		}
		return texts
	}
	return append(texts, err.Error())
}

// Support is a connector's answer to a question about its abilities.
type Support int

// The answers. NotAsked is for a connector that was not asked, which skips the check.
const (
	NotAsked Support = iota
	Supported
	Unsupported
	// Unknown is a connector that does not answer the question.
	Unknown
)

// ValidateRequest is everything that validation of a connector needs to know.
type ValidateRequest struct {
	Kind Kind
	// Props are the settings as the user gave them.
	Props map[string]string
	// Nulls are keys that the user gave as null; they are not in Props.
	Nulls  []string
	Worker *Worker
	// Plugins are the installed plugins. When empty, classes are not checked.
	Plugins Plugins
	// ExactlyOnce and TransactionBoundaries are the source connector's answers.
	ExactlyOnce           Support
	TransactionBoundaries Support
}

// Questions are what a source connector has to be asked for a validation.
type Questions struct{ ExactlyOnce, TransactionBoundaries bool }

// Questions says what the connector has to be asked. In a standalone worker, and for a sink, it is nothing.
func (r ValidateRequest) Questions() Questions {
	if r.Kind != Source || r.Worker.Mode != Distributed {
		return Questions{}
	}
	props := r.Worker.Providers.Resolve(r.Props).Props
	return Questions{ExactlyOnce: r.Worker.ExactlyOnceSourceEnabled() && exactlyOnceRequired(props), TransactionBoundaries: connectorBoundaries(props)}
}

func exactlyOnceRequired(props map[string]string) bool {
	return strings.EqualFold(javaTrim(props["exactly.once.support"]), "required")
}

func connectorBoundaries(props map[string]string) bool {
	return strings.EqualFold(javaTrim(props["transaction.boundary"]), "connector")
}

// Validate returns the whole answer: the framework's findings, the connector's own,
// those of client overrides and of converters, in Kafka Connect's order. own is the
// plugin's answer, see [NewReport]; leave it empty when the plugin cannot be asked.
//
// References to config providers are resolved for the checks, and shown as they
// were written: no resolved value is in the answer (I-9). It reads what the
// providers read and is pure otherwise.
func (r ValidateRequest) Validate(own Report) ConfigInfos {
	resolution := r.Worker.Providers.Resolve(r.Props)
	parts := []Report{r.framework(resolution.Props)}
	if r.versionError(resolution.Props) == "" {
		parts = append(parts, own, r.clients(resolution.Props), r.converters(resolution.Props), r.process(resolution.Props))
	}
	infos := Merge(r.Props["connector.class"], parts...)
	return hideSecrets(infos, resolution, r.Worker)
}

// ValidateConnector returns the framework's findings alone, in Kafka Connect's
// order, without the plugin's own keys, converters and overrides.
func ValidateConnector(kind Kind, props map[string]string, w *Worker) []ConfigValue {
	r := ValidateRequest{Kind: kind, Props: props, Worker: w}
	infos := r.Validate(Report{})
	values := make([]ConfigValue, 0, len(infos.Configs))
	for _, info := range infos.Configs {
		values = append(values, info.Value)
	}
	return values
}

// framework validates the keys of every connector, with those of its transforms
// and predicates.
func (r ValidateRequest) framework(props map[string]string) Report {
	mismatch := r.versionError(props)
	def := r.enrichedDef(props, mismatch != "")
	values := def.validate(props, r.Nulls)
	find := func(name string) *ConfigValue {
		for i := range values {
			if values[i].Name == name {
				return &values[i]
			}
		}
		values = append(values, normal(ConfigValue{Name: name, Visible: true}))
		return &values[len(values)-1]
	}
	fail := func(name, text string) {
		if text != "" {
			v := find(name)
			v.Errors = append(v.Errors, text)
		}
	}
	fail("connector.class", mismatch)
	fail("connector.plugin.version", mismatch)
	switch {
	case mismatch != "":
	case r.Kind == Sink:
		r.checkSink(props, find, fail)
		r.checkNegations(props, fail)
	default:
		r.checkSource(props, fail)
		r.checkNegations(props, fail)
	}
	for _, name := range r.Nulls {
		fail(name, nullValue)
	}
	return NewReport(def, values)
}

func (r ValidateRequest) checkSink(props map[string]string, find func(name string) *ConfigValue, fail func(name, text string)) {
	list, _ := ParseText("topics", props["topics"], List)
	topics, _ := list.([]string)
	topics = nonBlank(topics)
	pattern := javaTrim(props["topics.regex"])
	switch {
	case len(topics) > 0 && pattern != "":
		fail("topics", bothTopics)
		fail("topics.regex", bothTopics)
	case len(topics) == 0 && pattern == "":
		fail("topics", noTopics)
		fail("topics.regex", noTopics)
	}
	if dlq := javaTrim(props["errors.deadletterqueue.topic.name"]); dlq != "" {
		var re *Regex
		if pattern != "" {
			re, _ = CompileRegex(pattern) // a bad one has its own error
		}
		for _, c := range dlqConflicts(dlq, topics, re) {
			fail(c.key, c.text)
		}
	}
	worker := r.Worker.GroupID()
	if worker == "" {
		return
	}
	const override = "consumer.override.group.id"
	name := javaTrim(props["name"])
	if group, set := props[override]; set {
		find(override).Value = &group // it is listed by itself, without a definition
		if group == worker {
			fail(override, "Consumer group "+group+" conflicts with Connect worker group "+worker)
		}
	} else if SinkGroupID(name) == worker {
		fail("name", "Consumer group for sink connector named "+name+" conflicts with Connect worker group "+worker)
	}
}

// Kafka's texts about exactly-once support.
const (
	exactlyOnceDisabled    = "This worker does not have exactly-once source support enabled."
	exactlyOnceUnsupported = "The connector does not support exactly-once semantics with the provided configuration."
	exactlyOnceUnknown     = "The connector does not implement the API required for preflight validation of exactly-once source support. " +
		"Please consult the documentation for the connector to determine whether it supports exactly-once semantics, " +
		"and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check)."
	boundariesUnsupported = "The connector does not support connector-defined transaction boundaries with the given configuration. " +
		"Please reconfigure it to use a different transaction boundary definition."
)

func (r ValidateRequest) checkSource(props map[string]string, fail func(name, text string)) {
	if exactlyOnceRequired(props) {
		switch {
		case !r.Worker.ExactlyOnceSourceEnabled():
			fail("exactly.once.support", exactlyOnceDisabled)
		case r.ExactlyOnce == Unsupported:
			fail("exactly.once.support", exactlyOnceUnsupported)
		case r.ExactlyOnce == Unknown:
			fail("exactly.once.support", exactlyOnceUnknown)
		}
	}
	if connectorBoundaries(props) &&
		(r.TransactionBoundaries == Unsupported || r.TransactionBoundaries == Unknown) {
		fail("transaction.boundary", boundariesUnsupported)
	}
}

// checkNegations refuses a negated transform without a predicate.
func (r ValidateRequest) checkNegations(props map[string]string, fail func(name, text string)) {
	for _, alias := range aliases(props, "transforms") {
		prefix := "transforms." + alias + "."
		_, negated := props[prefix+"negate"]
		_, predicate := props[prefix+"predicate"]
		predicate = predicate || slices.Contains(r.Nulls, prefix+"predicate")
		if negated && !predicate {
			fail(prefix+"type", "Config '"+prefix+"negate' was provided but there is no config '"+prefix+"predicate' defining a predicate to be negated.")
		}
	}
}

// clients validates the settings of Kafka clients that the connector overrides.
func (r ValidateRequest) clients(props map[string]string) Report {
	out := Report{Apart: true}
	for _, kind := range []ClientKind{ProducerClient, ConsumerClient, AdminClient} {
		used := clientInUse(kind, r.Kind, props)
		if kind == ConsumerClient && r.Kind == Source {
			used = r.Worker.ExactlyOnceSourceEnabled() // it reads its own offsets
		}
		if !used {
			continue
		}
		def := clientDef(kind)
		given := overrides(props, kind)
		names := make([]string, 0, len(given))
		for name := range given {
			names = append(names, name)
		}
		for _, key := range r.Nulls {
			if name, ok := strings.CutPrefix(key, kind.OverridePrefix()); ok {
				names = append(names, name)
			}
		}
		for _, name := range javamap.Order(names) {
			info := ConfigInfo{Value: normal(ConfigValue{Name: kind.OverridePrefix() + name, Visible: true})}
			text, set := given[name]
			if k := def.Key(name); k != nil {
				key := *k
				key.DisplayName = k.Label()
				key.Name = info.Value.Name
				keyInfo := NewKeyInfo(&key)
				info.Definition = &keyInfo
				if set {
					value, errs := k.read(given)
					for _, err := range errs {
						info.Value.Errors = appendError(info.Value.Errors, err)
					}
					if shown, ok := FormatValue(value); ok {
						text = shown
					}
				}
			} else if IsSecretName(name) {
				text = Hidden
			}
			if set {
				info.Value.Value = &text
			}
			if err := r.Worker.OverridePolicy.Check(name); err != nil {
				info.Value.Errors = appendError(info.Value.Errors, err)
			}
			out.Infos = append(out.Infos, info)
		}
	}
	return out
}

// process validates Tailrace's own keys; only those that the connector sets are
// listed, so that other answers stay equal to Kafka Connect's.
func (r ValidateRequest) process(props map[string]string) Report {
	var keys []Key
	for _, def := range []*Def{ProcessDef(), ExtensionDef(r.Kind)} {
		for _, k := range def.Keys() {
			if _, set := props[k.Name]; set {
				keys = append(keys, *k)
			}
		}
	}
	for i, name := range sortedKeys(withPrefix(props, ProcessEnvPrefix)) {
		t := String
		if IsSecretName(name) {
			t = Password
		}
		keys = append(keys, Key{
			Name: ProcessEnvPrefix + name, Type: t, Default: Null(), Importance: Low,
			Group: groupProcess, Order: 10 + i, Width: WidthMedium, DisplayName: "Environment variable " + name,
			Documentation: "Environment variable of the plugin's process.",
			Validator: Check("environment variable", func(string, any) error {
				return errors.Join(checkEnvName(name), checkEnvValue(name, props[ProcessEnvPrefix+name]))
			}),
		})
	}
	if len(keys) == 0 {
		return Report{}
	}
	def := NewDef(keys...)
	return NewReport(def, def.Validate(props))
}

// hideSecrets shows every value that stands on a provider as it was written, and
// replaces what is left of secrets in any text (I-9).
func hideSecrets(infos ConfigInfos, resolution Resolution, w *Worker) ConfigInfos {
	m := resolution.Masker()
	m.AddSecrets(w.Secrets...)
	for i := range infos.Configs {
		v := &infos.Configs[i].Value
		original, given := resolution.Original[v.Name]
		resolved := resolution.Props[v.Name]
		changed := given && original != resolved
		definition := infos.Configs[i].Definition
		switch {
		case changed && v.Value != nil:
			v.Value = &original
		case v.Value != nil && definition != nil && definition.Type == Password:
			hidden := Hidden
			v.Value = &hidden
		}
		for j, text := range v.Errors {
			if changed {
				text = showAsWritten(text, resolved, original)
			} else if definition != nil && definition.Type == Password && len(resolved) >= minSecretBytes {
				text = strings.ReplaceAll(text, resolved, Hidden)
			}
			v.Errors[j] = m.Text(text)
		}
	}
	return infos
}

// showAsWritten puts the text that the user wrote in place of what it resolved to,
// in the two ways in which an error prints a value.
func showAsWritten(text, resolved, original string) string {
	list, _ := ParseText("", resolved, List)
	for _, form := range []string{javaText(list), javaTrim(resolved)} {
		switch {
		case form == "" || form == "[]" || !strings.Contains(text, form):
			continue
		case len(form) < minSecretBytes:
			// The value stands first in an error; the rest may hold the same
			// character by chance.
			return strings.Replace(text, " "+form+" ", " "+original+" ", 1)
		}
		return strings.ReplaceAll(text, form, original)
	}
	return text
}
