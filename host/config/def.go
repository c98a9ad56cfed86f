package config

import (
	"fmt"
	"slices"
	"strings"
)

// Type is the type of a key, as Kafka's ConfigDef names it. The text is what the
// REST API shows.
type Type string

// The types of Kafka's ConfigDef.
const (
	Boolean  Type = "BOOLEAN"
	String   Type = "STRING"
	Int      Type = "INT"
	Short    Type = "SHORT"
	Long     Type = "LONG"
	Double   Type = "DOUBLE"
	List     Type = "LIST"
	Class    Type = "CLASS"
	Password Type = "PASSWORD"
)

// Importance tells a user interface how prominent a key is.
type Importance string

// The importances of Kafka's ConfigDef.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Width is a hint for the length of an input field.
type Width string

// The widths of Kafka's ConfigDef.
const (
	WidthNone   Width = "NONE"
	WidthShort  Width = "SHORT"
	WidthMedium Width = "MEDIUM"
	WidthLong   Width = "LONG"
)

// Default is what a key has when nobody sets it: nothing (the key is required),
// null, or a text in the syntax of the key's type. The zero value is "required".
type Default struct {
	kind defaultKind
	text string
}

type defaultKind uint8

const (
	defaultRequired defaultKind = iota
	defaultNull
	defaultText
)

// Required marks a key without a default.
func Required() Default { return Default{} }

// Null is the default null: the key may be absent and then has no value.
func Null() Default { return Default{kind: defaultNull} }

// Text is a default in the syntax of the key's type.
func Text(text string) Default { return Default{kind: defaultText, text: text} }

// IsRequired reports whether a value must be given.
func (d Default) IsRequired() bool { return d.kind == defaultRequired }

// Text returns the default's text; ok is false for required keys and for null.
func (d Default) Text() (text string, ok bool) { return d.text, d.kind == defaultText }

// Key is one setting. Treat it as immutable once it is part of a [Def].
type Key struct {
	Name       string
	Type       Type
	Default    Default
	Importance Importance
	// Group is the heading under which a user interface shows the key; "" for none.
	Group string
	// Order is the place within Group; -1 when Group is "".
	Order int
	Width Width
	// DisplayName is the label; "" means the name itself.
	DisplayName string
	// Documentation is one or two plain sentences.
	Documentation string
	// Dependents are names of keys whose recommended values or visibility depend on this one.
	Dependents []string
	// Validator judges the parsed value; nil accepts everything.
	Validator Validator
	// Recommender offers values; nil offers none and keeps the key visible.
	Recommender Recommender

	// class is the outcome of looking up the class that a CLASS key names, when the
	// installed plugins are known.
	class *choice
}

// Label returns DisplayName, or the name when there is none.
func (k *Key) Label() string {
	if k.DisplayName != "" {
		return k.DisplayName
	}
	return k.Name
}

// Validator judges one parsed value. The error's text goes to the user as it is.
// A value is nil (null), bool, string, int32 (INT), int16 (SHORT), int64 (LONG),
// float64, []string (LIST) or [Secret] (PASSWORD).
type Validator interface {
	Validate(name string, value any) error
	// String describes the accepted values in a few words.
	String() string
}

// Recommender returns the values to offer for the key called name, given the
// whole configuration, and whether the key matters at all with it.
type Recommender func(name string, props map[string]string) (values []string, visible bool)

// Def is an ordered set of keys. The zero value is not usable; see [NewDef].
type Def struct {
	keys   []*Key
	byName map[string]*Key
}

// NewDef builds a definition from keys, in the given order. It panics when a name
// occurs twice, because that is a mistake in the program.
func NewDef(keys ...Key) *Def {
	d := &Def{byName: make(map[string]*Key, len(keys))}
	for i := range keys {
		k := keys[i]
		if _, twice := d.byName[k.Name]; twice {
			panic(fmt.Sprintf("config: key %q is defined twice", k.Name))
		}
		d.put(&k)
	}
	return d
}

// With returns a new definition with keys added at the end. A key whose name is
// already present replaces the old one in its place.
func (d *Def) With(keys ...Key) *Def {
	out := &Def{keys: slices.Clone(d.keys), byName: make(map[string]*Key, len(d.keys)+len(keys))}
	for _, k := range d.keys {
		out.byName[k.Name] = k
	}
	for i := range keys {
		k := keys[i]
		out.put(&k)
	}
	return out
}

func (d *Def) put(k *Key) {
	if k.Width == "" {
		k.Width = WidthNone
	}
	if k.Group == "" && k.Order == 0 {
		k.Order = -1
	}
	if _, ok := d.byName[k.Name]; ok {
		for i := range d.keys {
			if d.keys[i].Name == k.Name {
				d.keys[i] = k
			}
		}
	} else {
		d.keys = append(d.keys, k)
	}
	d.byName[k.Name] = k
}

// Keys returns the keys in definition order. Do not change them.
func (d *Def) Keys() []*Key { return d.keys }

// Key returns the key of that name, or nil.
func (d *Def) Key(name string) *Key { return d.byName[name] }

// Groups returns the group names in the order in which they first occur.
func (d *Def) Groups() []string {
	var groups []string
	for _, k := range d.keys {
		if k.Group != "" && !slices.Contains(groups, k.Group) {
			groups = append(groups, k.Group)
		}
	}
	return groups
}

// Sorted returns the keys as Kafka lists them for people: by group, place in the
// group, required before optional, importance, name.
func (d *Def) Sorted() []*Key {
	groupRank := map[string]int{"": -1}
	for i, g := range d.Groups() {
		groupRank[g] = i
	}
	importanceRank := map[Importance]int{High: 0, Medium: 1, Low: 2}
	requiredRank := func(k *Key) int {
		if k.Default.IsRequired() {
			return 0
		}
		return 1
	}
	keys := slices.Clone(d.keys)
	slices.SortStableFunc(keys, func(a, b *Key) int {
		for _, diff := range []int{
			groupRank[a.Group] - groupRank[b.Group],
			a.Order - b.Order,
			requiredRank(a) - requiredRank(b),
			importanceRank[a.Importance] - importanceRank[b.Importance],
		} {
			if diff != 0 {
				return diff
			}
		}
		return strings.Compare(a.Name, b.Name)
	})
	return keys
}
