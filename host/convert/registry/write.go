package registry

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// Resolved is a schema with those that it refers to, dependencies first.
type Resolved struct {
	Schema
	Names []string
	Docs  map[string]Schema
}

// Judge compares schemas of one format.
type Judge interface {
	// Refused says which part of newer does not fit older; "" if it finds none.
	Refused(older, newer Resolved) string
	// Unfit says why what is written with the schema own is not a value of latest;
	// "" if it is. strict asks for compatible schemas as well.
	Unfit(latest, own Resolved, strict bool) string
}

// WriteSchema is the schema under whose id values are written: registered, the
// latest of the subject, the one of use.schema.id, or one that is registered
// already. Its Text is own's unless another one was asked for.
func (c *Client) WriteSchema(subject string, own Schema, judge Judge) (Schema, error) {
	switch {
	case c.AutoRegister:
		id, err := c.Register(subject, own)
		own.ID = id
		return own, c.explain(subject, own, judge, err)
	case c.UseID >= 0:
		s, err := c.ByID(c.UseID)
		if err != nil {
			return Schema{}, err
		}
		return s, c.fits(s, own, judge, c.IDStrict, fmt.Sprintf("the schema of id %d, which use.schema.id asks to write", s.ID))
	case c.UseLatest:
		s, err := c.Latest(subject)
		if err != nil {
			return Schema{}, err
		}
		return s, c.fits(s, own, judge, c.LatestStrict, fmt.Sprintf("version %d of subject %s, which use.latest.version asks to write", s.Version, subject))
	}
	id, err := c.Lookup(subject, own)
	own.ID = id
	return own, c.explain(subject, own, judge, err)
}

func (c *Client) fits(s, own Schema, judge Judge, strict bool, what string) error {
	if s.Type != own.Type {
		return javaerr.Data("%s is of type %s, not %s; use the converter of that type", what, s.Type, own.Type)
	}
	wanted, err := c.resolved(s)
	if err != nil {
		return err
	}
	have, err := c.resolved(own)
	if err != nil {
		return err
	}
	if why := judge.Unfit(wanted, have, strict); why != "" {
		return javaerr.Data("Incompatible schema: the value does not fit %s: %s", what, why)
	}
	return nil
}

// explain adds to a refusal which part does not fit which version.
func (c *Client) explain(subject string, own Schema, judge Judge, err error) error {
	var refused *Error
	if err == nil || !errors.As(err, &refused) || !refused.Incompatible() {
		return err
	}
	return &javaerr.Error{
		Class: javaerr.DataException, Cause: err,
		Message: "Schema being registered is incompatible with an earlier schema for subject \"" + subject + "\"" + c.reason(subject, own, judge),
	}
}

func (c *Client) reason(subject string, own Schema, judge Judge) string {
	latest, err := c.Current(subject)
	if err != nil {
		return ""
	}
	older, err := c.resolved(latest)
	if err != nil {
		return ""
	}
	newer, err := c.resolved(own)
	if err != nil {
		return ""
	}
	why := judge.Refused(older, newer)
	if why == "" {
		why = "no field was found that does not fit; the registry may compare with an older version"
	}
	return fmt.Sprintf(" against version %d: %s", latest.Version, why)
}

func (c *Client) resolved(s Schema) (Resolved, error) {
	names, docs, err := c.Resolve(s)
	return Resolved{s, names, docs}, err
}

// ReadSchema is the schema of a record's id, which must be of a type, with those
// that it refers to.
func (c *Client) ReadSchema(id uint32, kind string) (Resolved, error) {
	s, err := c.ByID(int(id))
	if err != nil {
		return Resolved{}, err
	}
	if s.Type != kind {
		return Resolved{}, javaerr.Data("the schema of id %d is of type %s, not %s; use the converter of that type", s.ID, s.Type, kind)
	}
	return c.resolved(s)
}

// Newest is the newest version of a subject as of now; ok is false when there is no such subject.
func (c *Client) Newest(subject, kind string) (s Resolved, ok bool, err error) {
	latest, err := c.Current(subject)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return Resolved{}, false, nil
	}
	if err != nil {
		return Resolved{}, false, err
	}
	if latest.Type != kind {
		return Resolved{}, false, javaerr.Data("version %d of subject %s is of type %s, not %s; use the converter of that type", latest.Version, subject, latest.Type, kind)
	}
	s, err = c.resolved(latest)
	return s, err == nil, err
}

// VersionOf is the version that a schema has under a topic's subject. A subject
// that is not there, or not known without more, is no failure: the topic may be
// a copy of another registry's.
func (c *Client) VersionOf(topic, record string, s Schema) (int, error) {
	subject, err := c.Subject(topic, record)
	if err != nil {
		return 0, nil //nolint:nilerr // only a schema without connect.version shows it
	}
	return c.Version(subject, s)
}
