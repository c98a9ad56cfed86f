// Package observe checks what a running worker tells about itself: the paths below /v1 of the REST API, figures, log
// lines and traces, with real plugins and a real or embedded broker.
package observe
