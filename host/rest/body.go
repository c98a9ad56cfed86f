package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/herder"
)

// bodyError says what is wrong with a request's body, and where.
type bodyError struct {
	status       int
	line, column int // from 1; 0 when the place is not known
	reason       string
	absent       bool // it is blank, or null
}

func (e *bodyError) Error() string {
	if e.line == 0 {
		return "The request body cannot be used: " + e.reason
	}
	return fmt.Sprintf("The request body cannot be used: %s at line %d, column %d", e.reason, e.line, e.column)
}

// reader reads JSON token by token, and knows the place of what it refuses.
type reader struct {
	text []byte
	dec  *json.Decoder
}

// open reads the whole body; [Server] bounds its size.
func open(r *http.Request) (*reader, error) {
	text, err := io.ReadAll(r.Body)
	var large *bodyError
	switch {
	case errors.As(err, &large):
		return nil, large
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &bodyError{status: http.StatusRequestTimeout, reason: "it did not arrive in time"}
	case err != nil:
		return nil, &bodyError{status: http.StatusBadRequest, reason: err.Error()}
	case !utf8.Valid(text):
		return nil, &bodyError{status: http.StatusBadRequest, reason: "it is not UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark says nothing here
	in := &reader{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	in.dec.UseNumber()
	if len(bytes.TrimSpace(text)) == 0 {
		none := in.fault(0, "it is empty; a JSON object is expected")
		none.absent = true
		return nil, none
	}
	return in, in.check()
}

func (in *reader) fault(offset int64, reason string) *bodyError {
	before := in.text[:min(int(offset), len(in.text))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return &bodyError{status: http.StatusBadRequest, line: line, column: column, reason: reason}
}

// check finds what is no JSON. After it only shapes can be wrong.
func (in *reader) check() error {
	var value json.RawMessage
	err := json.Unmarshal(in.text, &value)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &syntax):
		return in.fault(0, err.Error())
	case int(syntax.Offset) >= len(in.text) && !in.complete():
		return in.fault(int64(len(in.text)), "the JSON ends too early")
	}
	return in.fault(syntax.Offset-1, syntax.Error())
}

// complete tells whether the text has a whole JSON value at its beginning, with something wrong behind it.
func (in *reader) complete() bool {
	var value json.RawMessage
	return json.NewDecoder(bytes.NewReader(in.text)).Decode(&value) == nil
}

// token reads the next token; at is where it begins.
func (in *reader) token() (token json.Token, at int64, err error) {
	at = in.dec.InputOffset()
	for int(at) < len(in.text) && strings.IndexByte(" \t\r\n,:", in.text[at]) >= 0 {
		at++
	}
	if token, err = in.dec.Token(); err != nil {
		return nil, at, in.fault(at, err.Error())
	}
	return token, at, nil
}

// object reads an object and calls member for each name; member reads the value.
func (in *reader) object(what string, member func(name string, at int64) error) error {
	token, at, err := in.token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		wrong := in.fault(at, what+" must be a JSON object")
		wrong.absent = token == nil
		return wrong
	}
	return in.members(member)
}

func (in *reader) members(member func(name string, at int64) error) error {
	for in.dec.More() {
		name, at, err := in.token()
		if err != nil {
			return err
		}
		if err := member(name.(string), at); err != nil { //nolint:forcetypeassert // the decoder allows nothing but strings here
			return err
		}
	}
	_, _, err := in.token()
	return err
}

// scalar reads a value that may be text, a number, a boolean or null, as text.
func (in *reader) scalar(what string) (*string, error) {
	token, at, err := in.token()
	if err != nil {
		return nil, err
	}
	var text string
	switch v := token.(type) {
	case nil:
		return nil, nil //nolint:nilnil // null is a value here
	case string:
		text = v
	case json.Number:
		text = v.String() // as it was written
	case bool:
		text = fmt.Sprint(v)
	default:
		return nil, in.fault(at, what+" must be a text, a number, true, false or null")
	}
	return &text, nil
}

// raw reads any value as it stands.
func (in *reader) raw() (json.RawMessage, error) {
	at := in.dec.InputOffset()
	var value json.RawMessage
	if err := in.dec.Decode(&value); err != nil {
		return nil, in.fault(at, err.Error())
	}
	return value, nil
}

// config reads a flat object of settings. A name that comes twice has its last value, and its first place in order.
func (in *reader) config(what string) (cfg herder.Config, order []string, err error) {
	cfg = herder.Config{}
	err = in.object(what, func(name string, _ int64) error {
		value, err := in.scalar("the setting " + name)
		if _, again := cfg[name]; !again {
			order = append(order, name)
		}
		cfg[name] = value
		return err
	})
	return cfg, order, err
}

// readConfig reads a body that is a flat object of settings.
func readConfig(r *http.Request) (cfg herder.Config, order []string, err error) {
	in, err := open(r)
	if err != nil {
		return nil, nil, err
	}
	return in.config("the configuration")
}
