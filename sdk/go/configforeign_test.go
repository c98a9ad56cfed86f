package connect

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysOfOtherConnectorsAreRefusedOrTold(t *testing.T) {
	secret := RefusedKey("ssl.key", "give a file")
	secret.Type = TypePassword
	d := NewConfigDef(ConfigKey{Name: "table.list"}, RefusedKey("table.magic", "use table.list", "none"), secret, IdleKey("table.old", "tables are always new"))
	require.NoError(t, d.Err())
	for _, harmless := range []string{"", " ", "none", "NONE"} {
		require.Empty(t, d.Validate(Config{"table.magic": harmless, "table.old": "x"}), harmless)
	}
	require.Equal(t, []ConfigIssue{
		{"table.magic", "Invalid value high for configuration table.magic: this connector does not support it: use table.list"},
		{"ssl.key", "Invalid value [hidden] for configuration ssl.key: this connector does not support it: give a file"},
	}, d.Validate(Config{"table.magic": "high", "ssl.key": "s3cret"}))
	require.Equal(t, []string{
		`the key "table.lits" is not known to this connector and has no effect`,
		`the key "table.old" has no effect: tables are always new`,
	}, d.Unused(Config{"table.old": "x", "table.list": "a", "table.lits": "b", "tasks.max": "1", "transforms": ""}, "table.", "ssl."))
}
