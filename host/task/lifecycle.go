package task

// State is where a task is in its life.
type State int

// The states of a task. Starting, Restarting and Draining are shown to users as
// they are told by Kafka Connect: UNASSIGNED, RESTARTING and RUNNING.
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
