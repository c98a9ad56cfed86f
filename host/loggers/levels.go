package loggers

import (
	"log/slog"
	"math"
	"strings"
)

// The levels of Log4j 2 that slog has no names for.
const (
	levelAll   = slog.Level(math.MinInt32)
	levelTrace = slog.Level(-8)
	levelFatal = slog.Level(12)
	levelOff   = slog.Level(math.MaxInt32)
)

var levels = map[string]slog.Level{
	"ALL": levelAll, "TRACE": levelTrace, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": levelFatal, "OFF": levelOff,
}

// ParseLevel reads the name of a level of Log4j 2, in any case.
func ParseLevel(text string) (name string, level slog.Level, ok bool) {
	name = strings.ToUpper(strings.TrimSpace(text))
	level, ok = levels[name]
	return name, level, ok
}

// nameOf is the name of the level that lets at least these lines through.
func nameOf(level slog.Level) string {
	switch {
	case level <= levelAll:
		return "ALL"
	case level <= levelTrace:
		return "TRACE"
	case level <= slog.LevelDebug:
		return "DEBUG"
	case level <= slog.LevelInfo:
		return "INFO"
	case level <= slog.LevelWarn:
		return "WARN"
	case level <= slog.LevelError:
		return "ERROR"
	case level <= levelFatal:
		return "FATAL"
	}
	return "OFF"
}
