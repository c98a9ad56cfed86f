package rest

import (
	"encoding/json"
	"net/http"

	"github.com/tailrace/tailrace/host/herder"
)

func (a *api) getOffsets(w http.ResponseWriter, r *http.Request) {
	offsets, err := a.herder.Offsets(r.Context(), param(r, "connector"))
	give(w, http.StatusOK, offsets, err)
}

// message is the answer of a change of offsets.
type message struct {
	Message string `json:"message"`
}

func (a *api) alterOffsets(w http.ResponseWriter, r *http.Request) {
	changes, err := readOffsets(r)
	if err != nil {
		refuse(w, err)
		return
	}
	text, err := a.herder.AlterOffsets(r.Context(), param(r, "connector"), changes)
	give(w, http.StatusOK, message{text}, err)
}

func (a *api) resetOffsets(w http.ResponseWriter, r *http.Request) {
	text, err := a.herder.ResetOffsets(r.Context(), param(r, "connector"))
	give(w, http.StatusOK, message{text}, err)
}

// readOffsets reads {"offsets":[{"partition":{…},"offset":{…}}]}. Absent and null offsets are none.
func readOffsets(r *http.Request) ([]herder.OffsetChange, error) {
	in, err := open(r)
	if err != nil {
		return nil, err
	}
	var changes []herder.OffsetChange
	err = in.object("the request", func(member string, at int64) error {
		if member != "offsets" {
			return in.fault(at, "the member "+member+" is not known; only offsets is,")
		}
		return in.list("offsets", func() error {
			var c herder.OffsetChange
			err := in.object("an entry of offsets", func(member string, at int64) (err error) {
				switch member {
				case "partition":
					c.Partition, err = in.objectOrNull("partition")
				case "offset":
					c.Offset, err = in.objectOrNull("offset")
				default:
					err = in.fault(at, "the member "+member+" is not known; known are partition and offset,")
				}
				return err
			})
			changes = append(changes, c)
			return err
		})
	})
	return changes, err
}

// list reads an array, or null as an empty one, and calls entry to read each entry.
func (in *reader) list(what string, entry func() error) error {
	token, at, err := in.token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return nil
	case token != json.Delim('['):
		return in.fault(at, what+" must be a JSON array")
	}
	for in.dec.More() {
		if err := entry(); err != nil {
			return err
		}
	}
	_, _, err = in.token()
	return err
}

// objectOrNull reads an object as it stands; null is nil.
func (in *reader) objectOrNull(what string) (json.RawMessage, error) {
	at := in.dec.InputOffset()
	value, err := in.raw()
	switch {
	case err != nil:
		return nil, err
	case string(value) == "null":
		return nil, nil
	case value[0] != '{':
		return nil, in.fault(at+1, what+" must be a JSON object or null")
	}
	return value, nil
}
