package convert

import (
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonConverter is Kafka Connect's JsonConverter.
type jsonConverter struct {
	schemas            bool // schemas.enable: the envelope
	cacheSize          int  // schemas.cache.size
	numeric            bool // decimal.format=NUMERIC
	nullTakesDefault   bool // replace.null.with.default
	byRegistry         bool // the payload of JsonSchemaConverter: unions, maps as objects with key and value
	strict             bool // strict.values
	plans              map[*data.Schema]*jsonPlan
	lastPlan           *jsonPlan
	parsed             map[string]*data.Schema // schema text -> schema
	lastSchema         *data.Schema
	lastEnvelopePrefix []byte
	lastPass           *passPlan // of lastSchema
	pass               jsonPass
	keys               []writtenKey // that the records before had, in their order
}

func newJSON(props map[string]string) (both, error) {
	c := &jsonConverter{schemas: true, cacheSize: 1000, nullTakesDefault: true}
	for key, flag := range map[string]*bool{"schemas.enable": &c.schemas, "replace.null.with.default": &c.nullTakesDefault, strictValues: &c.strict} {
		text, ok := props[key]
		if !ok {
			continue
		}
		switch {
		case strings.EqualFold(strings.TrimSpace(text), "true"):
			*flag = true
		case strings.EqualFold(strings.TrimSpace(text), "false"):
			*flag = false
		default:
			return nil, invalidConfig(key, text, "Expected value to be either true or false")
		}
	}
	if text, ok := props["decimal.format"]; ok {
		text = strings.TrimSpace(text)
		switch strings.ToUpper(text) {
		case "NUMERIC":
			c.numeric = true
		case "BASE64":
		default:
			return nil, invalidConfig("decimal.format", text, "String must be one of (case insensitive): NUMERIC, BASE64")
		}
	}
	if text, ok := props["schemas.cache.size"]; ok {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			return nil, invalidConfig("schemas.cache.size", text, "Not a number of type INT")
		}
		c.cacheSize = max(int(n), 1)
	}
	return c, nil
}

func invalidConfig(key, value, reason string) error {
	return &Error{Class: ConfigException, Message: "Invalid value " + value + " for configuration " + key + ": " + reason}
}

func (c *jsonConverter) FromConnect(dst []byte, _ string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if schema == nil {
		return c.fromSchemaless(dst, wire)
	}
	p := c.lastPlan
	if p == nil || p.schema != schema {
		if p, err = c.planFor(schema); err != nil {
			return nil, dst, err
		}
	}
	start := len(dst)
	after = dst
	if c.schemas {
		after = append(after, p.envelope...)
	}
	w := jsonWriter{c: c, b: wire, keys: c.keys}
	if after, err = w.value(after, p); err != nil {
		return nil, dst, err
	}
	if c.schemas {
		after = append(after, '}')
	}
	return after[start:len(after):len(after)], after, nil
}

func (c *jsonConverter) fromSchemaless(dst, wire []byte) (out, after []byte, err error) {
	k, _, err := open(nil, wire)
	if err != nil {
		return nil, dst, err
	}
	if k == kindNull {
		return nil, dst, nil
	}
	start := len(dst)
	after = dst
	if c.schemas {
		after = append(after, `{"schema":null,"payload":`...)
	}
	w := jsonWriter{c: c, b: wire, keys: c.keys}
	if after, err = w.any(after, 0); err != nil {
		return nil, dst, err
	}
	if c.schemas {
		after = append(after, '}')
	}
	return after[start:len(after):len(after)], after, nil
}

func (c *jsonConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

func (c *jsonConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}

// planFor finds or makes the plan of a schema.
func (c *jsonConverter) planFor(s *data.Schema) (*jsonPlan, error) {
	if p, ok := c.plans[s]; ok {
		c.lastPlan = p
		return p, nil
	}
	p := newJSONPlan(s)
	if c.schemas {
		text := append([]byte(nil), `{"schema":`...)
		text, err := c.appendSchema(text, s, nil)
		if err != nil {
			return nil, err
		}
		p.envelope = append(text, `,"payload":`...)
	}
	if err := c.planDefaults(p); err != nil {
		return nil, err
	}
	if c.plans == nil || len(c.plans) >= c.cacheSize {
		c.plans = make(map[*data.Schema]*jsonPlan) // a plain bound; schemas that are in use come back at once
	}
	c.plans[s] = p
	c.lastPlan = p
	return p, nil
}
