package avro

import (
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var logicalNames = map[string]string{
	data.DateName: logicalDate, data.TimeName: logicalTimeMillis, data.TimestampName: logicalTimestampMillis,
}

// properties writes what Connect knows of a schema and Avro does not, in AvroData's order.
func (w *schemaWriter) properties(o *object, s *data.Schema) error {
	decimal := s.Name() == data.DecimalName && s.Type() == data.Bytes
	if decimal {
		scale, _, err := s.IsDecimal()
		if err != nil {
			return javaerr.Data("%s", err)
		}
		precision := strconv.Itoa(usualPrecision)
		if p := param(s, precisionParam); p != "" {
			if _, err := strconv.Atoi(p); err != nil {
				return javaerr.Data("the parameter %s is %q, not a number", precisionParam, clip(p))
			}
			precision = p
		}
		o.raw(propScale, strconv.Itoa(int(scale)))
		o.raw(propPrecision, precision)
	}
	if w.o.metadata {
		if err := w.metadata(o, s); err != nil {
			return err
		}
	}
	if decimal {
		o.text(propLogical, logicalDecimal)
	} else if logical := logicalNames[s.Name()]; logical != "" && (s.IsDate() || s.IsTime() || s.IsTimestamp()) {
		o.text(propLogical, logical)
	}
	for _, p := range s.Parameters() {
		if strings.HasPrefix(p.Key, "avro") {
			o.text(p.Key, p.Value)
		}
	}
	return nil
}

func (w *schemaWriter) metadata(o *object, s *data.Schema) error {
	if s.HasDoc() {
		o.text(propDoc, s.Doc())
	}
	if v, ok := s.Version(); ok {
		o.raw(propVersion, strconv.Itoa(int(v)))
	}
	var params object
	for _, p := range s.Parameters() {
		if p.Key != fieldDef {
			params.text(p.Key, p.Value)
		}
	}
	if params.b.Len() > 0 {
		o.raw(propParams, params.String())
	}
	_, fromAvro := s.Parameter(fieldDef)
	if def, ok := s.Default(); ok && !fromAvro {
		text, err := defaultText(s, def)
		if err != nil {
			return err
		}
		o.raw(propDefault, text)
	}
	if s.HasName() {
		o.text(propName, s.Name())
	}
	switch s.Type() {
	case data.Int8:
		o.text(propType, "int8")
	case data.Int16:
		o.text(propType, "int16")
	}
	return nil
}

// anyText is the record of values without a schema.
var anyText = func() string {
	fields := []struct{ name, typ string }{
		{"boolean", `"boolean"`},
		{"bytes", `"bytes"`},
		{"double", `"double"`},
		{"float", `"float"`},
		{"int", `"int"`},
		{"long", `"long"`},
		{"string", `"string"`},
		{"array", `{"type":"array","items":"Anything"}`},
		{"map", `{"type":"array","items":{"type":"record","name":"MapEntry","fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}`},
	}
	var parts []string
	for _, f := range fields {
		parts = append(parts, `{"name":"`+f.name+`","type":["null",`+f.typ+`],"default":null}`)
	}
	return `{"type":"record","name":"` + anything + `","namespace":"` + namespace + `","fields":[` + strings.Join(parts, ",") + `]}`
}()
