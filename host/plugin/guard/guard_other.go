//go:build !linux

package guard

import "time"

// KillCgroup does nothing: there are no cgroups here.
func KillCgroup(string) {}

// RemoveCgroup does nothing: there are no cgroups here.
func RemoveCgroup(string) {}

// SweepMarked does nothing: other systems do not show a process's environment in a file.
func SweepMarked(string, time.Time) int { return 0 }

// Marked finds nothing, see SweepMarked.
func Marked(string) []int { return nil }
