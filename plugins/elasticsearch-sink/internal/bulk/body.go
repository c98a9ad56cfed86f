package bulk

import (
	"encoding/json"
	"strconv"
)

// Item is one action of a request.
type Item struct {
	// End is where the item's lines end in the body; they begin where those of the item before end.
	End int
	// Doc tells documents apart: two items of one document have the same number, two documents almost always differ.
	Doc uint64
	// Versioned tells that the server itself drops the item when it has a newer version.
	Versioned bool
}

// Verbs are the beginnings of the actions on one index, made once.
type Verbs struct{ index, create, update, remove []byte }

// NewVerbs prepares the actions on an index.
func NewVerbs(index string) (*Verbs, error) {
	quoted, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	begin := func(verb string) []byte {
		return append(append(append([]byte(`{"`), verb...), `":{"_index":`...), append(quoted, `,"_id":`...)...)
	}
	return &Verbs{index: begin("index"), create: begin("create"), update: begin("update"), remove: begin("delete")}, nil
}

// Action is the rest of the first line of an item.
type Action struct {
	ID      []byte // quoted JSON
	Routing []byte // quoted JSON, or none
	// Version is the external version, which must grow from write to write; none when negative.
	Version int64
}

// retryOnConflict is how often the server tries an update again that met another writer of the document.
const retryOnConflict = "3"

// AppendIndex writes the line of a write of the whole document; the document and a line end follow.
func (v *Verbs) AppendIndex(dst []byte, a *Action) []byte {
	return append(appendAction(dst, v.index, a), "}}\n"...)
}

// AppendCreate writes the line of a write that does nothing when the document is there, as data streams want it.
func (v *Verbs) AppendCreate(dst []byte, a *Action) []byte {
	return append(appendAction(dst, v.create, a), "}}\n"...)
}

// AppendDelete writes the only line of a deletion.
func (v *Verbs) AppendDelete(dst []byte, a *Action) []byte {
	return append(appendAction(dst, v.remove, a), "}}\n"...)
}

// AppendUpdate writes the line of an upsert and the beginning of its second; the document and EndUpdate follow.
func (v *Verbs) AppendUpdate(dst []byte, a *Action) []byte {
	return append(appendAction(dst, v.update, a), `,"retry_on_conflict":`+retryOnConflict+"}}\n"+`{"doc":`...)
}

// EndUpdate closes the second line of an upsert.
const EndUpdate = `,"doc_as_upsert":true}`

func appendAction(dst, begin []byte, a *Action) []byte {
	dst = append(append(dst, begin...), a.ID...)
	if len(a.Routing) > 0 {
		dst = append(append(dst, `,"routing":`...), a.Routing...)
	}
	if a.Version >= 0 {
		dst = append(dst, `,"version_type":"external","version":`...)
		dst = strconv.AppendInt(dst, a.Version, 10)
	}
	return dst
}
