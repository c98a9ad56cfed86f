package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxFileBytes bounds a settings file; real ones have a few kilobytes.
const maxFileBytes = 16 << 20

// ConnectorFile is what a connector file of a standalone worker holds.
type ConnectorFile struct {
	Name   string
	Config map[string]string
	// InitialState is RUNNING, PAUSED or STOPPED; "" when the file does not say.
	InitialState string
}

// ReadProperties reads a .properties file; see [ParseProperties].
func ReadProperties(file string) (map[string]string, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return ParseProperties(file, data)
}

// ReadConnectorFile reads a connector file: JSON when the text is a JSON object,
// Java properties otherwise, whatever the file's name ends in.
func ReadConnectorFile(file string) (ConnectorFile, error) {
	data, err := readFile(file)
	if err != nil {
		return ConnectorFile{}, err
	}
	return ParseConnectorFile(file, data)
}

// ParseConnectorFile reads the text of a connector file; file is used in errors.
func ParseConnectorFile(file string, data []byte) (ConnectorFile, error) {
	c, err := parseSettings(file, data)
	if err != nil {
		return ConnectorFile{}, err
	}
	c.Name = javaTrim(c.Config["name"])
	if c.Name == "" {
		return ConnectorFile{}, fmt.Errorf("%s: the setting name is missing; give the connector a name", file)
	}
	if err := CheckConnectorName(c.Name); err != nil {
		return ConnectorFile{}, fmt.Errorf("%s: %w", file, err)
	}
	if strings.TrimSpace(c.Config["connector.class"]) == "" {
		return ConnectorFile{}, fmt.Errorf("%s: the setting connector.class is missing; name the plugin to run", file)
	}
	c.Config["name"] = c.Name
	return c, nil
}

// ReadTransforms reads the transforms and predicates of a connector file, or of one that has
// nothing else.
func ReadTransforms(file string) ([]Transform, map[string]Predicate, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, nil, err
	}
	c, err := parseSettings(file, data)
	if err != nil {
		return nil, nil, err
	}
	t, p, err := ParseTransforms(c.Config)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return t, p, err
}

// parseSettings reads JSON or properties.
func parseSettings(file string, data []byte) (c ConnectorFile, err error) {
	if isJSON(file, data) {
		return parseConnectorJSON(file, bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")))
	}
	c.Config, err = ParseProperties(file, data)
	return c, err
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			err = perr.Err
		}
		return nil, fmt.Errorf("cannot read %s: %w; check the path and that the worker's user may read it", file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes and is hardly a settings file; check the path", file, maxFileBytes)
	}
	return data, nil
}

func isJSON(file string, data []byte) bool {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n")
	return strings.EqualFold(filepath.Ext(file), ".json") || bytes.HasPrefix(trimmed, []byte("{"))
}

// parseConnectorJSON reads {"k":"v"} or {"name":…,"config":{…},"initial_state":…}.
func parseConnectorJSON(file string, data []byte) (ConnectorFile, error) {
	var top map[string]json.RawMessage
	if err := unmarshal(file, data, &top); err != nil {
		return ConnectorFile{}, err
	}
	raw, nested := top["config"]
	if !nested || !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		config, err := scalars(file, data, top)
		return ConnectorFile{Config: config}, err
	}
	var c ConnectorFile
	var settings map[string]json.RawMessage
	if err := unmarshal(file, raw, &settings); err != nil {
		return c, err
	}
	config, err := scalars(file, data, settings)
	if err != nil {
		return c, err
	}
	delete(top, "config")
	for _, known := range []string{"name", "initial_state"} {
		if _, ok := top[known]; !ok {
			continue
		}
		text, err := scalars(file, data, map[string]json.RawMessage{known: top[known]})
		if err != nil {
			return c, err
		}
		if known == "name" {
			c.Name = text[known]
		} else {
			c.InitialState = strings.ToUpper(text[known])
		}
		delete(top, known)
	}
	for unknown := range top {
		return c, at(file, data, unknown, "is not one of name, config, initial_state; move it into config")
	}
	switch c.InitialState {
	case "", "RUNNING", "PAUSED", "STOPPED":
	default:
		return c, at(file, data, "initial_state", "must be RUNNING, PAUSED or STOPPED")
	}
	if inner, ok := config["name"]; ok && c.Name != "" && inner != c.Name {
		return c, at(file, data, "config", fmt.Sprintf("names the connector %q, but name is %q; make them equal", inner, c.Name))
	}
	if c.Name != "" {
		config["name"] = c.Name
	}
	c.Config = config
	return c, nil
}

// scalars turns JSON scalars into texts; numbers keep the form they are written in.
func scalars(file string, data []byte, raw map[string]json.RawMessage) (map[string]string, error) {
	out := make(map[string]string, len(raw))
	for key, value := range raw {
		value = bytes.TrimSpace(value)
		switch value[0] {
		case '"':
			var s string
			if err := unmarshal(file, value, &s); err != nil {
				return nil, err
			}
			out[key] = s
		case '{', '[':
			return nil, at(file, data, key, "must be a text, a number, true or false, not an object or an array; write lists as one text with commas")
		case 'n':
			return nil, at(file, data, key, "must not be null; leave the key out instead")
		default:
			out[key] = string(value)
		}
	}
	return out, nil
}

// unmarshal reads one JSON value and nothing behind it.
func unmarshal(file string, data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(len(data))
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	line, column := position(data, int(offset)-1)
	reason := strings.TrimPrefix(err.Error(), "json: ")
	if kind != nil {
		reason = "a JSON object with the connector's settings is expected here"
	}
	return &SyntaxError{file, line, column, reason}
}

// at builds the error for a key, at the place where the key first stands.
func at(file string, data []byte, key, reason string) error {
	quoted, err := json.Marshal(key)
	offset := -1
	if err == nil {
		offset = bytes.Index(data, quoted)
	}
	line, column := position(data, max(offset, 0))
	return &SyntaxError{file, line, column, fmt.Sprintf("the value of %q %s", key, reason)}
}

// position turns an offset into line and column, both from 1.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(max(offset, 0), len(data))]
	line = 1 + bytes.Count(before, []byte("\n"))
	column = 1 + len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:])))
	return line, column
}
