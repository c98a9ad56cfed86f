package config

// ConverterRole is what a converter works on. Its text is also the value of the
// option converter.type.
type ConverterRole string

// The roles of converters.
const (
	KeyRole    ConverterRole = "key"
	ValueRole  ConverterRole = "value"
	HeaderRole ConverterRole = "header"
)

// Converter is a chosen converter with its options.
type Converter struct {
	Role ConverterRole
	// Class is the class or alias as written.
	Class string
	// PluginVersion is the wanted version or range; "" means any.
	PluginVersion string
	// Config are the options without prefix, with converter.type added.
	Config map[string]string
	// FromWorker is true when the worker's settings chose it.
	FromWorker bool
}

func (r ConverterRole) key() string { return string(r) + ".converter" }

func readConverter(props map[string]string, class string, role ConverterRole) Converter {
	options := withPrefix(props, role.key()+".")
	version := options["plugin.version"]
	delete(options, "plugin.version")
	options["converter.type"] = string(role)
	return Converter{Role: role, Class: class, PluginVersion: version, Config: options}
}

func workerConverter(props map[string]string, v Values, role ConverterRole) Converter {
	c := readConverter(props, v.Text(role.key()), role)
	c.FromWorker = true
	return c
}

// chooseConverter picks the converter of a connector: one that the connector names
// has only the connector's options; otherwise the worker's class with only the
// worker's options applies (reference section 2.4).
func chooseConverter(props map[string]string, w *Worker, role ConverterRole) Converter {
	if class := javaTrim(props[role.key()]); class != "" {
		return readConverter(props, class, role)
	}
	switch {
	case w == nil:
		return Converter{Role: role}
	case role == KeyRole:
		return w.KeyConverter
	case role == ValueRole:
		return w.ValueConverter
	}
	return w.HeaderConverter
}
