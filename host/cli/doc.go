// Package cli is the command line: flags and arguments in, text for people
// out. What a command does is given to it ([Commands]); nothing here knows how.
//
// Commands that manage a running worker go through host/cli/client; what they compare and plan is in host/cli/plan.
//
// Errors go to standard error with a status above 0 that tells their kind: docs/cli.md lists them. No secret is printed
// unless it was asked for (I-9), and nothing that a worker sends steers the terminal.
//
// Neighbours: it may import host/herder and nothing deeper. host/app fills in Commands.
package cli
