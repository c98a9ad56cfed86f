package wire

import (
	"math"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// maxCall bounds what a plugin may tell about a call (I-3).
const maxCall = 24 * time.Hour

// ReadCallTime reads when a call began, by the plugin's clock, and how long it took; zero when it is not told or cannot be.
func ReadCallTime(m *pluginv1.CallTime) (began time.Time, took time.Duration) {
	if m == nil || m.GetStartedUnixNs() == 0 || m.GetStartedUnixNs() > math.MaxInt64 || m.GetTookNs() > uint64(maxCall) {
		return time.Time{}, 0
	}
	return time.Unix(0, int64(m.GetStartedUnixNs())), time.Duration(m.GetTookNs())
}
