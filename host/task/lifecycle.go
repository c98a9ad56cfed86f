package task

// State is where a task is in its life.
type State int

// The states of a task. Kafka Connect shows Starting as UNASSIGNED and Draining as RUNNING.
const (
	// Starting: the plugin was asked to start the task.
	Starting State = iota
	Running
	// Paused: the task keeps its place and moves nothing.
	Paused
	// Restarting: the plugin's process died and a new one is on its way (sinks).
	Restarting
	// Draining: the task was asked to stop and finishes what is under way.
	Draining
	// Stopped and Failed are final.
	Stopped
	Failed
)

var stateNames = [...]string{"STARTING", "RUNNING", "PAUSED", "RESTARTING", "DRAINING", "STOPPED", "FAILED"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "UNKNOWN"
	}
	return stateNames[s]
}

// Final reports whether nothing follows.
func (s State) Final() bool { return s == Stopped || s == Failed }

// phase is how far a source task is on its way out.
type phase int

const (
	phaseStarting phase = iota // until Started
	phaseRunning
	phaseDraining // Drain was sent, batches may still come
	phaseSettling // nothing comes any more: wait for Kafka, store the offsets
	phaseClosing  // the last Commit was sent, the task cleans up
	phaseOver
)

// lifecycle decides what an event means for a source task. It is a value
// without goroutines; its fields are what the runner acts on.
type lifecycle struct {
	phase  phase
	paused bool
	// cause is why the task ends, nil for a stop that was asked for.
	cause error
}

// state is the phase as users see it.
func (l *lifecycle) state() State {
	switch l.phase {
	case phaseStarting:
		return Starting
	case phaseRunning:
		if l.paused {
			return Paused
		}
		return Running
	case phaseOver:
		if l.cause != nil {
			return Failed
		}
		return Stopped
	default:
		return Draining
	}
}

// started: the task runs. It reports whether that changed anything.
func (l *lifecycle) started() bool {
	if l.phase != phaseStarting {
		return false
	}
	l.phase = phaseRunning
	return true
}

// pause reports whether the task must be told.
func (l *lifecycle) pause(paused bool) bool {
	if l.paused == paused {
		return false
	}
	l.paused = paused
	return l.phase <= phaseRunning
}

// stop reports whether Drain is to be sent. A task that is still starting has
// nothing to drain: it is over.
func (l *lifecycle) stop() bool {
	switch l.phase {
	case phaseStarting:
		l.phase = phaseOver
	case phaseRunning:
		l.phase = phaseDraining
		return true
	}
	return false
}

// drained: the task sent its last record.
func (l *lifecycle) drained() {
	if l.phase <= phaseDraining {
		l.phase = phaseSettling
	}
}

// fail ends the task for a reason; the first one counts. What Kafka has
// acknowledged is still stored. It reports whether the reason was taken.
func (l *lifecycle) fail(cause error) bool {
	switch {
	case l.phase == phaseClosing, l.phase == phaseOver, l.cause != nil:
		return false // all is stored: nothing can be lost any more
	}
	l.cause = cause
	l.phase = phaseSettling
	return true
}

// settled: Kafka has answered for every batch and the offsets are stored, or
// waiting for that was given up.
func (l *lifecycle) settled() {
	if l.phase != phaseSettling {
		return
	}
	l.phase = phaseClosing
	if l.cause != nil {
		l.phase = phaseOver
	}
}

// over: the stream has ended after closing, or time is up.
func (l *lifecycle) over() { l.phase = phaseOver }

// takesBatches reports whether a batch that arrives is to be produced.
func (l *lifecycle) takesBatches() bool { return l.phase == phaseRunning || l.phase == phaseDraining }
