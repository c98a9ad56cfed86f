package bulk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// State is what became of an item.
type State uint8

// The states; see the package.
const (
	Done State = iota
	Retry
	Errant
	Fatal
)

func (s State) String() string { return [...]string{"done", "retry", "errant", "fatal"}[s] }

// Failure is what the server says about an item that was not kept.
type Failure struct {
	Status int
	Type   string
	Reason string
}

// Error is one line for people and dead letters.
func (f *Failure) Error() string {
	return fmt.Sprintf("the server refused the document with status %d, %s: %s", f.Status, f.Type, f.Reason)
}

// ClassName is the class in dead letters: the server's own type of the error.
func (f *Failure) ClassName() string { return f.Type }

// Classify decides what becomes of an item. verb is index, create, update or delete.
//
//	status               type                               state
//	200, 201             -                                  done
//	404                  - (delete of what is not there)    done
//	409                  version_conflict_engine_exception  done; of an update: retry
//	408, 429, 5xx        any                                retry
//	any                  the names in busy                  retry
//	400, 413             any                                errant
//	401, 403, 404, else  any                                fatal
func Classify(verb string, status int, errorType string) State {
	switch {
	case status >= 200 && status < 300, status == 404 && verb == "delete":
		return Done
	case status == 409 && errorType == "version_conflict_engine_exception":
		// The document has this version or a newer one, or (create) is there already: written before, nothing to do.
		// An update carries no version: another writer was in between.
		if verb == "update" {
			return Retry
		}
		return Done
	case status == 408, status == 429, status >= 500, busy[errorType]:
		return Retry
	case status == 400, status == 413:
		return Errant
	}
	return Fatal
}

// busy are errors that pass by themselves, whatever status they come with.
var busy = map[string]bool{
	"es_rejected_execution_exception":          true,
	"rejected_execution_exception":             true,
	"open_search_rejected_execution_exception": true,
	"circuit_breaking_exception":               true,
	"unavailable_shards_exception":             true,
	"no_shard_available_action_exception":      true,
	"node_not_connected_exception":             true,
	"process_cluster_event_timeout_exception":  true,
}

// Result is the outcome of one item.
type Result struct {
	State   State
	Failure *Failure // of Retry, Errant and Fatal
}

// FilterPath leaves out of the answer what nobody reads. Each item keeps its status, so positions stay.
const FilterPath = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"

// allDone is how an answer begins in which every item was kept.
var allDone = []byte(`{"errors":false`)

// ParseResults reads an answer for n items. nil results mean that all are done.
func ParseResults(answer []byte, n int) ([]Result, error) {
	if bytes.HasPrefix(answer, allDone) {
		return nil, nil
	}
	var parsed struct {
		Items []map[string]struct {
			Status int
			Error  *struct {
				Type, Reason string
				CausedBy     struct{ Reason string } `json:"caused_by"`
			}
		}
	}
	if err := json.Unmarshal(answer, &parsed); err != nil {
		return nil, fmt.Errorf("the server's answer is not one of the bulk endpoint: %w; it begins %.200q", err, answer)
	}
	if len(parsed.Items) != n {
		return nil, fmt.Errorf("the server answered for %d items and got %d", len(parsed.Items), n)
	}
	results := make([]Result, n)
	for i, item := range parsed.Items {
		for verb, r := range item {
			f := &Failure{Status: r.Status}
			if r.Error != nil {
				f.Type, f.Reason = r.Error.Type, r.Error.Reason
				if cause := r.Error.CausedBy.Reason; cause != "" && !strings.Contains(f.Reason, cause) {
					f.Reason += ": " + cause
				}
			}
			if results[i].State = Classify(verb, r.Status, f.Type); results[i].State != Done {
				results[i].Failure = f
			}
		}
	}
	return results, nil
}

// Next is the request that is left after an answer: the items to try again, with their lines, in order. Later writes of the same
// document go with them, unless the server knows their order by version: a write that overtook would be undone by the
// one before it. kept are the positions of the items that stay, into the old request.
func Next(body []byte, items []Item, results []Result) (nextBody []byte, next []Item, kept []int) {
	again := map[uint64]bool{}
	for i, r := range results {
		if r.State == Fatal || r.State == Errant {
			continue
		}
		if r.State != Retry && (items[i].Versioned || !again[items[i].Doc]) {
			continue
		}
		again[items[i].Doc] = true
		from := 0
		if i > 0 {
			from = items[i-1].End
		}
		nextBody = append(nextBody, body[from:items[i].End]...)
		item := items[i]
		item.End = len(nextBody)
		next, kept = append(next, item), append(kept, i)
	}
	return nextBody, next, kept
}
