// Package app puts the worker together: it builds every part from the
// settings, and owns the order in which parts start and stop.
//
// Start: settings, offsets file, REST listeners, plugin host and catalogue,
// broker, herder, REST; whatever is wrong is told with the key or file before anything runs.
// Stop, after the first signal: REST takes no new requests, tasks drain and store
// their offsets, plugin processes end, stores close. A second signal ends the process at once;
// its plugins go with it (I-10).
//
// Neighbours: it imports every package of the host; only host/cmd imports it.
package app
