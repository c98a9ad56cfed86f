// Package access decides who may use the REST API: it turns what a client shows
// (a password, a token, a certificate) into an [Identity], and an identity into
// roles on connectors.
//
//   - [Gate] knows the ways to enter: users with passwords (users.go), bearer tokens of an OpenID
//     Connect issuer (tokens.go), client certificates. Each has a namespace of its own, so that a
//     token can never pass for a user of the same name.
//   - [Policy] is the file of roles. [Rights] are what it gives to one identity.
//
// Invariants: what cannot be decided is refused. No error holds a password or
// token (I-9). Guessing passwords takes a bounded share of the processors (I-3).
//
// Neighbours: host/reload and host/tlsconfig below; host/rest asks it, host/app opens it.
// It knows no HTTP: which request needs which role stands in host/rest.
package access
