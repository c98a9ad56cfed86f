package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// reference is ${provider:key} or ${provider:path:key}, as in Kafka's ConfigTransformer.
var reference = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// Lookup returns the value of a key at a path; ok is false when there is none.
// It is called once for each reference and may read files.
type Lookup func(path, key string) (value string, ok bool)

// Providers resolve references in settings. They are safe for several goroutines.
// The zero value and nil resolve nothing.
type Providers struct{ lookups map[string]Lookup }

// providerClasses are the classes that config.providers.NAME.class accepts, by
// their last part.
var providerClasses = map[string]func(name string, params map[string]string) (Lookup, error){
	"FileConfigProvider":      fileProvider,
	"DirectoryConfigProvider": directoryProvider,
	"EnvVarConfigProvider":    envProvider,
}

// NewProviders builds the providers that a worker's settings name in
// config.providers. Each has config.providers.NAME.class and, as parameters,
// config.providers.NAME.param.KEY.
func NewProviders(props map[string]string) (*Providers, error) {
	p := &Providers{lookups: map[string]Lookup{}}
	names, _ := ParseText("config.providers", props["config.providers"], List)
	list, _ := names.([]string)
	var errs []error
	for _, name := range list {
		key := "config.providers." + name + ".class"
		class := javaTrim(props[key])
		if class == "" {
			errs = append(errs, &MissingError{key})
			continue
		}
		build, ok := providerClasses[class[strings.LastIndexByte(class, '.')+1:]]
		if !ok {
			errs = append(errs, Invalid(key, class, "Class "+class+" could not be found. Use FileConfigProvider, DirectoryConfigProvider or EnvVarConfigProvider"))
			continue
		}
		lookup, err := build(name, withPrefix(props, "config.providers."+name+".param."))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.lookups[name] = lookup
	}
	return p, errors.Join(errs...)
}

// WithLookup returns providers that also resolve ${name:…} by lookup.
func (p *Providers) WithLookup(name string, lookup Lookup) *Providers {
	out := &Providers{lookups: map[string]Lookup{name: lookup}}
	if p != nil {
		for n, l := range p.lookups {
			if n != name {
				out.lookups[n] = l
			}
		}
	}
	return out
}

// Resolution is the outcome of resolving settings.
type Resolution struct {
	// Props are the settings with every reference replaced that could be.
	Props map[string]string
	// Original are the settings as given.
	Original map[string]string
	// Secrets are the distinct values that came from providers.
	Secrets []string
	// Unresolved are references left as they are, with the key they stand in.
	Unresolved []UnresolvedReference
}

// UnresolvedReference is a reference that no provider could answer.
type UnresolvedReference struct {
	Key       string // setting in which it stands
	Reference string // ${…}
	// KnownProvider is false when nothing of that name is configured; then the text
	// may not be meant as a reference at all (a transform's ${topic}, for example).
	KnownProvider bool
}

// Resolve replaces the references in props, in one pass: a value from a provider
// is not searched for references again. What cannot be resolved stays as it is.
func (p *Providers) Resolve(props map[string]string) Resolution {
	r := Resolution{Props: make(map[string]string, len(props)), Original: props}
	secrets := map[string]bool{}
	for key, value := range props {
		r.Props[key] = reference.ReplaceAllStringFunc(value, func(ref string) string {
			m := reference.FindStringSubmatch(ref)
			lookup, known := p.lookup(m[1])
			if known {
				if text, ok := lookup(m[3], m[4]); ok {
					secrets[text] = true
					return text
				}
			}
			r.Unresolved = append(r.Unresolved, UnresolvedReference{key, ref, known})
			return ref
		})
	}
	for s := range secrets {
		if s != "" {
			r.Secrets = append(r.Secrets, s)
		}
	}
	slices.Sort(r.Secrets)
	slices.SortFunc(r.Unresolved, func(a, b UnresolvedReference) int { return strings.Compare(a.Key, b.Key) })
	return r
}

func (p *Providers) lookup(name string) (Lookup, bool) {
	if p == nil {
		return nil, false
	}
	l, ok := p.lookups[name]
	return l, ok
}

// Masker hides the secrets of the resolution and the PASSWORD values of the given
// definitions (I-9).
func (r Resolution) Masker(defs ...*Def) *Masker {
	m := NewMasker(r.Secrets...)
	m.AddProps(r.Props, defs...)
	for name, value := range r.Original {
		// A value that is made of references only partly is secret as a whole too.
		if value != r.Props[name] {
			m.AddSecrets(r.Props[name])
		}
	}
	return m
}

// Reverse puts references back: a value of task equal to the resolved value of the
// same key of the connector becomes the text that the user wrote. It is applied to
// task configs before they are stored, so that no secret reaches the config topic
// as long as a connector passes it on unchanged.
func (r Resolution) Reverse(task map[string]string) map[string]string {
	out := make(map[string]string, len(task))
	for key, value := range task {
		if original, ok := r.Original[key]; ok && value == r.Props[key] {
			value = original
		}
		out[key] = value
	}
	return out
}

// allowedPaths returns a check that a path lies below one of the folders or files
// in allowed.paths. Links are followed first, so that a link cannot lead outside.
func allowedPaths(name string, params map[string]string) (func(string) bool, error) {
	text, set := params["allowed.paths"]
	if !set || strings.TrimSpace(text) == "" {
		return func(string) bool { return true }, nil
	}
	var allowed []string
	for _, path := range listSeparator.Split(strings.TrimSpace(text), -1) {
		if !filepath.IsAbs(path) {
			return nil, Invalid("config.providers."+name+".param.allowed.paths", path, "the path must be absolute")
		}
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, Invalid("config.providers."+name+".param.allowed.paths", path, "the path does not exist or cannot be read")
		}
		allowed = append(allowed, target)
	}
	return func(path string) bool {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(allowed, func(a string) bool {
			return target == a || strings.HasPrefix(target, strings.TrimSuffix(a, "/")+"/")
		})
	}, nil
}

// fileProvider reads keys of a .properties file named by the path.
func fileProvider(name string, params map[string]string) (Lookup, error) {
	allowed, err := allowedPaths(name, params)
	if err != nil {
		return nil, err
	}
	return func(path, key string) (string, bool) {
		if path == "" || !allowed(path) {
			return "", false
		}
		props, err := ReadProperties(path)
		if err != nil {
			return "", false
		}
		value, ok := props[key]
		return value, ok
	}, nil
}

// directoryProvider reads files of a folder named by the path; the key is the
// file's name and the value its content.
func directoryProvider(name string, params map[string]string) (Lookup, error) {
	allowed, err := allowedPaths(name, params)
	if err != nil {
		return nil, err
	}
	return func(path, key string) (string, bool) {
		if path == "" || key == "" || key == "." || key == ".." || strings.ContainsRune(key, filepath.Separator) {
			return "", false
		}
		file := filepath.Join(path, key)
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || !allowed(file) {
			return "", false
		}
		data, err := readFile(file)
		return string(data), err == nil
	}, nil
}

// envProvider reads environment variables of the worker whose whole name matches
// allowlist.pattern.
func envProvider(name string, params map[string]string) (Lookup, error) {
	pattern := params["allowlist.pattern"]
	if pattern == "" {
		pattern = ".*"
	}
	allowed, err := CompileRegex(pattern)
	if err != nil {
		return nil, Invalid("config.providers."+name+".param.allowlist.pattern", pattern, "Invalid regex: "+err.Error())
	}
	return func(path, key string) (string, bool) {
		if path != "" || !allowed.Matches(key) {
			return "", false
		}
		return os.LookupEnv(key)
	}, nil
}
