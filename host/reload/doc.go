// Package reload keeps what files mean up to date while the worker runs: keys and
// certificates, users, roles. A rotation needs no restart.
//
// There is no goroutine and no watch: whoever asks for the value looks at the
// files, at most once a second. So replaced files, renamed files and the symbolic
// links of a Kubernetes secret are noticed alike, and nothing has to be stopped.
//
// Invariant: a file that cannot be used never takes the place of one that could.
// The value stays as it was, and the reason is logged once.
//
// Neighbours: none in the host.
package reload
