// Package discover finds the files that glob patterns name and decides which task reads which.
//
// Every task looks for itself and takes the paths whose hash falls to it, so a new file needs neither a new division of
// work nor a restart of tasks, and no two tasks ever take the same path. Rotated versions of a file that is itself named
// by the patterns are left out: package tail reads them where needed.
//
// It imports nothing of the plugin; the rule for rotated names is given by the caller.
package discover
