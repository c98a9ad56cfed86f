package transform

import (
	"errors"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
)

const (
	transformPackage = "org.apache.kafka.connect.transforms."
	predicatePackage = transformPackage + "predicates."
)

// Class is a built-in transform or predicate.
type Class struct {
	// Name is the Java class name.
	Name string
	// Alias is the short name that configurations may use.
	Alias string
	// Kind is config.TransformPlugin or config.PredicatePlugin.
	Kind config.PluginKind
	// Def are its options.
	Def *config.Def

	step func(config.Values) (step, error)
	test func(config.Values) (test, error)
}

// Classes lists everything that is built in.
func Classes() []Class { return classes }

// Plugins gives the same as the list that validation takes. version is the
// version to show, that of Kafka Connect whose behaviour this is.
func Plugins(version string) config.Plugins {
	plugins := make(config.Plugins, 0, len(classes))
	for _, c := range classes {
		plugins = append(plugins, config.PluginInfo{Kind: c.Kind, Class: c.Name, Aliases: []string{c.Alias}, Version: version, Def: c.Def})
	}
	return plugins
}

// Lookup finds a built-in by Java class name or alias.
func Lookup(kind config.PluginKind, class string) (Class, bool) {
	for _, c := range classes {
		if c.Kind == kind && (c.Name == class || c.Alias == class) {
			return c, true
		}
	}
	return Class{}, false
}

// New builds a transform; class is a Java class name or an alias. The error is a
// *convert.Error with Kafka Connect's class and message.
func New(class string, props map[string]string) (Transform, error) {
	t, _, err := buildTransform(config.Transform{Class: class, Config: props}, nil)
	return t, err
}

// NewPredicate builds a predicate in the same way.
func NewPredicate(class string, props map[string]string) (Predicate, error) {
	p, _, err := buildPredicate(class, props)
	return p, err
}

func buildTransform(t config.Transform, others Others) (Transform, string, error) {
	c, ok := Lookup(config.TransformPlugin, t.Class)
	if !ok {
		if others != nil && len(variants(t.Class)) == 0 {
			return others(t)
		}
		return nil, "", notFound("transform", t.Class)
	}
	values, err := c.parse(t.Config)
	if err != nil {
		return nil, "", err
	}
	s, err := c.step(values)
	if err != nil {
		return nil, "", err
	}
	return perRecord{s}, c.Name, nil
}

func buildPredicate(class string, props map[string]string) (Predicate, string, error) {
	c, ok := Lookup(config.PredicatePlugin, class)
	if !ok {
		return nil, "", notFound("predicate", class)
	}
	values, err := c.parse(props)
	if err != nil {
		return nil, "", err
	}
	t, err := c.test(values)
	if err != nil {
		return nil, "", err
	}
	return perRecordTest{t}, c.Name, nil
}

// variants are the classes such as Cast$Key and Cast$Value for Cast.
func variants(class string) (names []string) {
	for _, c := range classes {
		if strings.HasPrefix(c.Name, class+"$") || strings.HasPrefix(c.Alias, class+"$") {
			names = append(names, c.Alias)
		}
	}
	return names
}

func notFound(what, class string) error {
	if names := variants(class); len(names) > 0 {
		return configError("There is no %s %s; use %s", what, class, strings.Join(names, " or "))
	}
	return configError("There is no %s %s", what, class)
}

// parse reads the options and gives the first mistake, as Kafka does.
func (c *Class) parse(props map[string]string) (config.Values, error) {
	values, err := c.Def.Parse(props)
	if err == nil {
		return values, nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		err = joined.Unwrap()[0]
	}
	var java *convert.Error
	if errors.As(err, &java) {
		return nil, java
	}
	return nil, configError("%s", err.Error())
}
