// Package cli is the command line: flags and arguments in, text for people
// out. What a command does is given to it ([Commands]); nothing here knows how.
//
// Errors go to standard error with a status above 0: 1 when a command failed, 2 when it was called wrongly.
//
// Neighbours: it may import host/herder and nothing deeper. host/app fills in Commands.
package cli
