// Package conformance holds every plugin of this repository against the
// protocol, from outside, as a program: what connecttest.Conformance promises
// for a plugin in any language.
package conformance
