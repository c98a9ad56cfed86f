package connect

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPluginSaysHowOftenItsHeapIsCleaned(t *testing.T) {
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	for _, c := range []struct {
		plugin Plugin
		gogc   string
		want   int
	}{{Plugin{}, "", gcPercent}, {Plugin{GCPercent: 400}, "", 400}, {Plugin{GCPercent: 400}, "off", 100}} {
		t.Setenv("GOGC", c.gogc)
		debug.SetGCPercent(100)
		c.plugin.tuneCollector()
		require.Equal(t, c.want, debug.SetGCPercent(100), "%d, GOGC=%s", c.plugin.GCPercent, c.gogc)
	}
}
