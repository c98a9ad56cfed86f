package discover

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEveryPathBelongsToExactlyOneTask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.String().Draw(t, "path")
		tasks := rapid.IntRange(1, 50).Draw(t, "tasks")
		owners := 0
		for task := range tasks {
			if (Share{task, tasks}).Takes(path) {
				owners++
			}
		}
		require.Equal(t, 1, owners)
	})
}

func TestFilesSpreadOverTasks(t *testing.T) {
	counts := make([]int, 4)
	for i := range 4000 {
		for task := range counts {
			if (Share{task, 4}).Takes(fmt.Sprintf("/var/log/app-%d.log", i)) {
				counts[task]++
			}
		}
	}
	for _, n := range counts {
		require.InDelta(t, 1000, n, 200)
	}
}

func TestFindLeavesOutFoldersExcludedAndRotatedFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.log", "a.log.1", "a.log.2.gz", "b.log", "b.log.bak", "c-1.log", "c-2.log", "x.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.log"), 0o755))
	rotated := func(base, name string) bool {
		return strings.HasPrefix(name, base+".1") || strings.HasPrefix(name, base+".2")
	}
	got, err := Find(Patterns{
		Include: []string{dir + "/*"}, Exclude: []string{"*.tmp", dir + "/b.log.bak"}, Rotated: rotated,
	}, Share{0, 1})
	require.NoError(t, err)
	var names []string
	for _, p := range got {
		names = append(names, filepath.Base(p))
	}
	require.Equal(t, []string{"a.log", "b.log", "c-1.log", "c-2.log"}, names)
}

func TestCheckNamesTheBadPattern(t *testing.T) {
	require.NoError(t, Check([]string{"/var/log/*.log"}))
	require.ErrorContains(t, Check([]string{"/var/["}), `"/var/["`)
	require.ErrorContains(t, Check([]string{"*.log"}), "absolute")
}
