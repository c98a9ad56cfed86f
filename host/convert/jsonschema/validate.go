package jsonschema

import (
	"bytes"
	"errors"
	"strings"

	library "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// Validator checks values against a schema (json.fail.invalid.schema).
type Validator struct{ schema *library.Schema }

// rootName is the URL of a schema that has none.
const rootName = "mem://input"

// NewValidator compiles a schema; refs are the documents that it refers to. Nothing is fetched.
func NewValidator(text string, refs []Document) (*Validator, error) {
	c := library.NewCompiler()
	c.DefaultDraft(library.Draft7)
	c.UseLoader(closed{})
	add := func(name, text string) error {
		v, err := library.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = c.AddResource(name, v)
		}
		if err != nil {
			return bad("Invalid JSON schema: %s", err)
		}
		return nil
	}
	for _, r := range refs {
		if err := add(resolve(rootName, r.Name), r.Text); err != nil {
			return nil, err
		}
	}
	if err := add(rootName, text); err != nil {
		return nil, err
	}
	s, err := c.Compile(rootName)
	if err != nil {
		return nil, bad("Invalid JSON schema: %s", err)
	}
	return &Validator{s}, nil
}

// closed fetches nothing.
type closed struct{}

func (closed) Load(url string) (any, error) {
	return nil, errors.New("the schema refers to " + url + ", which is not among its references in the registry")
}

// Validate checks a JSON text.
func (v *Validator) Validate(text []byte) error {
	value, err := library.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = v.schema.Validate(value)
	}
	if err != nil {
		return &javaerr.Error{Class: javaerr.SerializationException, Message: "Validation error in JSON", Cause: err}
	}
	return nil
}
