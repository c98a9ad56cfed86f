package reload

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// checkInterval is how often the files are looked at, at most.
const checkInterval = time.Second

// Options say what is kept up to date.
type Options struct {
	// What names the value in log lines, such as "certificates of listeners".
	What  string
	Files []string
	// Interval between two looks at the files; 0 means one second.
	Interval time.Duration
	Logger   *slog.Logger
}

// Value is what some files mean. Make one with [Open]; it is safe for several goroutines.
type Value[T any] struct {
	options Options
	load    func() (T, error)
	current atomic.Pointer[T]
	nextNS  atomic.Int64 // when the files are looked at next, Unix nanoseconds

	checking sync.Mutex // held while the files are looked at and read
	seen     string     // what they looked like when current was read
	failed   string     // the last failure, already logged; empty when there is none
}

// Open reads the value for the first time. load reads all files anew each time;
// its error names the file or setting that is wrong.
func Open[T any](o Options, load func() (T, error)) (*Value[T], error) {
	if o.Interval == 0 {
		o.Interval = checkInterval
	}
	v := &Value[T]{options: o, load: load, seen: look(o.Files)}
	value, err := load()
	if err != nil {
		return nil, err
	}
	v.current.Store(&value)
	v.nextNS.Store(time.Now().Add(o.Interval).UnixNano())
	return v, nil
}

// Get returns the value, after a look at the files when the last one is long
// enough ago. While one goroutine reads the files, others go on with what there was.
func (v *Value[T]) Get() T {
	if now := time.Now(); now.UnixNano() >= v.nextNS.Load() && v.checking.TryLock() {
		defer v.checking.Unlock()
		v.check()
		v.nextNS.Store(time.Now().Add(v.options.Interval).UnixNano())
	}
	return *v.current.Load()
}

// check reads the files again when they changed, or when they could not be read: a
// file that was read in the middle of being written may look the same afterwards.
func (v *Value[T]) check() {
	seen := look(v.options.Files)
	if seen == v.seen && v.failed == "" {
		return
	}
	value, err := v.load()
	if err != nil {
		if v.failed != err.Error() {
			v.failed = err.Error()
			v.options.Logger.Error("the new files cannot be used; the old ones stay in use", "what", v.options.What, "error", err)
		}
		return
	}
	v.seen, v.failed = seen, ""
	v.current.Store(&value)
	v.options.Logger.Info("the files changed and were read again", "what", v.options.What)
}

// look tells files apart without reading them.
func look(files []string) string {
	var b strings.Builder
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", file, err)
			continue
		}
		fmt.Fprintf(&b, "%s: %d %d %d\n", file, info.ModTime().UnixNano(), info.Size(), inode(info))
	}
	return b.String()
}
