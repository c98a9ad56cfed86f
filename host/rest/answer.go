package rest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/tailrace/tailrace/host/herder"
)

// failure is the body of every error.
type failure struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	encode(w, body)
}

func encode(w http.ResponseWriter, body any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the client is gone when this fails
}

// problem answers an error.
func problem(w http.ResponseWriter, status int, message string) {
	answer(w, status, failure{status, message})
}

// bare is an error of the HTTP layer: Kafka Connect gives these no content type.
func bare(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = nil // keeps net/http from guessing one
	w.WriteHeader(status)
	encode(w, failure{status, httpText(status)})
}

func httpText(status int) string {
	return "HTTP " + strconv.Itoa(status) + " " + http.StatusText(status)
}

// statusOf translates the kinds of errors.
var statusOf = map[herder.Kind]int{
	herder.Internal:    http.StatusInternalServerError,
	herder.BadRequest:  http.StatusBadRequest,
	herder.NotFound:    http.StatusNotFound,
	herder.Conflict:    http.StatusConflict,
	herder.Forbidden:   http.StatusForbidden,
	herder.Unavailable: http.StatusInternalServerError, // Kafka Connect's status for its timeouts
	herder.NotReady:    http.StatusServiceUnavailable,
}

// refuse answers with what a handler's error means.
func refuse(w http.ResponseWriter, err error) {
	var malformed *bodyError
	var told *herder.Error
	switch {
	case errors.As(err, &malformed):
		problem(w, malformed.status, malformed.Error())
	case errors.As(err, &told):
		if told.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(told.RetryAfter.Seconds()))))
		}
		problem(w, statusOf[told.Kind], told.Message)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusInternalServerError, "Request timed out. "+err.Error())
	default:
		problem(w, http.StatusInternalServerError, err.Error())
	}
}

// give answers with a value, or with the error in its place.
func give[T any](w http.ResponseWriter, status int, value T, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, status, value)
}

// done answers without a body, or with the error.
func done(w http.ResponseWriter, status int, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(status)
}
