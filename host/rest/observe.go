package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/observe"
)

// Station tells what happens on this worker; *observe.Station is one.
type Station interface {
	About() observe.About
	Processes() []observe.Process
	LastLines(connector string, n int) []observe.LineItem
	NextLines(ctx context.Context, connector string, seq uint64, limit int) ([]observe.LineItem, error)
	LastEvents(n int, connector string) []observe.Event
	EventsAfter(seq uint64, limit int, connector string) []observe.Event
	NextEvents(ctx context.Context, seq uint64, connector string) (events []observe.Event, newest uint64, err error)
	Preview(ctx context.Context, request observe.PreviewRequest) (observe.Preview, error)
	TailTopic(ctx context.Context, connector map[string]string, topic string, back int, follow bool, show func(observe.PreviewRecord) error) error
}

const (
	defaultLines  = 100
	maxAnswered   = 1_000 // lines, events or records of one answer
	tailTimeout   = 30 * time.Second
	maxNameBytes  = 1_000
	previewsRetry = 5 * time.Second
)

// observed lists what there is only with a Station.
func (a *api) observed() map[string]methods {
	return map[string]methods{
		"/v1/worker":                      {http.MethodGet: a.worker},
		"/v1/processes":                   {http.MethodGet: a.processes},
		"/v1/events":                      {http.MethodGet: a.events},
		"/v1/connectors/{connector}/logs": {http.MethodGet: a.logs},
		"/v1/topics/{topic}/records":      {http.MethodGet: a.records},
		"/v1/preview":                     {http.MethodPost: a.preview},
	}
}

func (a *api) worker(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.options.Station.About())
}

// processes shows the plugin processes of all workers that run something.
func (a *api) processes(w http.ResponseWriter, r *http.Request) {
	list := a.options.Station.Processes()
	others := gather[[]observe.Process](a, w, r, a.others(r, ""))
	if len(others) > 0 {
		for i := range list {
			list[i].Worker = a.options.WorkerID
		}
	}
	for _, other := range others {
		for _, p := range other.answer {
			p.Worker = other.worker
			list = append(list, p)
		}
	}
	answer(w, http.StatusOK, list)
}

// number reads a number of the query, at most the bound.
func number(r *http.Request, name string, absent, bound uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, &herder.Error{Kind: herder.BadRequest, Message: fmt.Sprintf("The parameter %s must be a number, not %q", name, text)}
	}
	return min(n, bound), nil
}

// lineAnswer is a log line with its number.
type lineAnswer struct {
	Seq uint64 `json:"seq"`
	// Worker is set where lines of several workers stand together; Seq counts those of one.
	Worker string `json:"worker,omitempty"`
	observe.Line
}

// merge adds the lines of other workers by time, and keeps the newest.
func merge(a *api, own []lineAnswer, others []part[struct{ Lines []lineAnswer }], n int) []lineAnswer {
	if len(others) == 0 {
		return own
	}
	for i := range own {
		own[i].Worker = a.options.WorkerID
	}
	for _, other := range others {
		for _, line := range other.answer.Lines {
			line.Worker = other.worker
			own = append(own, line)
		}
	}
	slices.SortStableFunc(own, func(x, y lineAnswer) int { return x.Time.Compare(y.Time) })
	return own[max(0, len(own)-n):]
}

func lineAnswers(items []observe.LineItem) []lineAnswer {
	out := make([]lineAnswer, 0, len(items))
	for _, item := range items {
		out = append(out, lineAnswer{Seq: item.Seq, Line: item.Value})
	}
	return out
}

// logs shows the last log lines about a connector; with follow=true what comes is streamed.
func (a *api) logs(w http.ResponseWriter, r *http.Request) {
	name := param(r, "connector")
	n, err := number(r, "lines", defaultLines, maxAnswered)
	if err == nil {
		_, err = a.herder.Connector(name)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	last := lineAnswers(a.options.Station.LastLines(name, int(n)))
	if !follows(r) {
		others := gather[struct{ Lines []lineAnswer }](a, w, r, a.others(r, name))
		answer(w, http.StatusOK, map[string]any{"lines": merge(a, last, others, int(n))})
		return
	}
	seq := uint64(0)
	if newest := a.options.Station.LastLines(name, 1); len(newest) > 0 {
		seq = newest[0].Seq
	}
	if len(last) > 0 {
		seq = last[len(last)-1].Seq
	}
	workers := a.others(r, name)
	a.stream(w, r, func(s *stream) error { //nolint:contextcheck // a stream has its context in it
		defer a.relay(s, r, workers)()
		if err := send(s, last); err != nil {
			return err
		}
		for {
			var items []observe.LineItem
			err := s.wait(func(ctx context.Context) (err error) {
				items, err = a.options.Station.NextLines(ctx, name, seq, maxAnswered)
				return err
			})
			if err == nil && len(items) > 0 {
				seq = items[len(items)-1].Seq
				err = send(s, lineAnswers(items))
			}
			if err != nil {
				return err
			}
		}
	})
}

func mergeEvents(a *api, own []observe.Event, others []part[struct{ Events []observe.Event }], limit int) []observe.Event {
	if len(others) == 0 {
		return own
	}
	for i := range own {
		own[i].Worker = a.options.WorkerID
	}
	for _, other := range others {
		for _, e := range other.answer.Events {
			e.Worker = other.worker
			own = append(own, e)
		}
	}
	slices.SortStableFunc(own, func(x, y observe.Event) int { return x.Time.Compare(y.Time) })
	return own[max(0, len(own)-limit):]
}

// events shows what happened, after a number or the last ones; with follow=true what comes is streamed.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	connector := r.URL.Query().Get("connector")
	limit, err := number(r, "limit", defaultLines, maxAnswered)
	if err != nil {
		refuse(w, err)
		return
	}
	after, err := number(r, "after", 0, 1<<62)
	if err != nil {
		refuse(w, err)
		return
	}
	var list []observe.Event
	if r.URL.Query().Has("after") {
		list = a.options.Station.EventsAfter(after, int(limit), connector)
	} else {
		list = a.options.Station.LastEvents(int(limit), connector)
	}
	if !follows(r) {
		if !r.URL.Query().Has("after") { // a number is one worker's
			list = mergeEvents(a, list, gather[struct{ Events []observe.Event }](a, w, r, a.others(r, connector)), int(limit))
		}
		answer(w, http.StatusOK, map[string]any{"events": list})
		return
	}
	seq := after
	if len(list) > 0 {
		seq = list[len(list)-1].Seq
	}
	workers := a.others(r, connector)
	if r.URL.Query().Has("after") {
		workers = nil // a number is one worker's
	}
	a.stream(w, r, func(s *stream) error { //nolint:contextcheck // a stream has its context in it
		defer a.relay(s, r, workers)()
		if err := send(s, list); err != nil {
			return err
		}
		for {
			var next []observe.Event
			err := s.wait(func(ctx context.Context) (err error) {
				next, seq, err = a.options.Station.NextEvents(ctx, seq, connector)
				return err
			})
			if err == nil {
				err = send(s, next)
			}
			if err != nil {
				return err
			}
		}
	})
}

// records shows the newest records of a topic as a connector's converters decode them.
func (a *api) records(w http.ResponseWriter, r *http.Request) {
	topic := param(r, "topic")
	back, err := number(r, "records", 10, 100)
	if err != nil {
		refuse(w, err)
		return
	}
	c, err := a.herder.Connector(r.URL.Query().Get("connector"))
	if err != nil {
		refuse(w, err)
		return
	}
	if !follows(r) {
		ctx, cancel := context.WithTimeout(r.Context(), tailTimeout)
		defer cancel()
		list := []observe.PreviewRecord{}
		err := a.options.Station.TailTopic(ctx, c.Config, topic, int(back), false, func(p observe.PreviewRecord) error {
			list = append(list, p)
			return nil
		})
		give(w, http.StatusOK, map[string]any{"records": list}, unusable(err))
		return
	}
	a.stream(w, r, func(s *stream) error {
		return a.options.Station.TailTopic(s.ctx, c.Config, topic, int(back), true, func(p observe.PreviewRecord) error {
			return send(s, []observe.PreviewRecord{p})
		})
	})
}

// preview runs a configuration for a few records.
func (a *api) preview(w http.ResponseWriter, r *http.Request) {
	request, err := readPreview(r)
	if err != nil {
		refuse(w, err)
		return
	}
	p, err := a.options.Station.Preview(r.Context(), request)
	give(w, http.StatusOK, p, unusable(err))
}

// unusable says that a configuration cannot be run, which is its author's to mend.
func unusable(err error) error {
	switch {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, observe.ErrBusy):
		return &herder.Error{Kind: herder.Conflict, Message: err.Error(), RetryAfter: previewsRetry}
	}
	return &herder.Error{Kind: herder.BadRequest, Message: err.Error()}
}

func readPreview(r *http.Request) (observe.PreviewRequest, error) {
	request := observe.PreviewRequest{Name: "preview"}
	in, err := open(r)
	if err != nil {
		return request, err
	}
	var given herder.Config
	millis := 0
	err = in.object("the request", func(member string, at int64) (err error) {
		switch member {
		case "name":
			err = in.scalarInto("name", &request.Name)
		case "config":
			given, _, err = in.config("config")
		case "records":
			request.Records, err = in.count("records")
		case "timeout_ms":
			millis, err = in.count("timeout_ms")
		default:
			err = in.fault(at, "the member "+member+" is not known; known are name, config, records and timeout_ms,")
		}
		return err
	})
	if err != nil {
		return request, err
	}
	if given == nil {
		return request, in.fault(0, "the member config is missing")
	}
	request.Time = time.Duration(millis) * time.Millisecond
	request.Config = map[string]string{}
	for key, value := range given {
		if value == nil {
			return request, in.fault(0, "the setting "+key+" is null")
		}
		request.Config[key] = *value
	}
	if name := request.Config["name"]; name != "" {
		request.Name = name
	}
	if request.Name == "" || len(request.Name) > maxNameBytes {
		request.Name = "preview"
	}
	request.Config["name"] = request.Name
	return request, nil
}

// count reads a whole number above 0, as a number or a text.
func (in *reader) count(what string) (int, error) {
	at := in.dec.InputOffset()
	text, err := in.scalar(what)
	if err != nil || text == nil {
		return 0, err
	}
	n, err := strconv.ParseInt(*text, 10, 32)
	if err != nil || n <= 0 {
		return 0, in.fault(at, what+" must be a whole number above 0")
	}
	return int(n), nil
}
