package env

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

const pythonTimeout = 10 * time.Minute

// Python returns a Python 3 interpreter that has the given packages from PyPI ("grpcio==1.85.1": exact versions). The
// environment is made once for each list of packages and kept in .cache.
func Python(t testing.TB, packages ...string) (interpreter string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "the test needs python3 (Debian: apt-get install python3 python3-venv)")
	ctx, cancel := context.WithTimeout(t.Context(), pythonTimeout)
	defer cancel()
	version, err := exec.CommandContext(ctx, python, "--version").Output()
	require.NoError(t, err)

	wanted := strings.Join(packages, "\n")
	key := sha256.Sum256([]byte(string(version) + wanted))
	dir, unlock, err := server.Cache("python-" + hex.EncodeToString(key[:6]))
	require.NoError(t, err)
	defer unlock()
	interpreter = filepath.Join(dir, "venv", "bin", "python")
	ready := filepath.Join(dir, "packages") // written last: it says that the environment is whole
	if have, err := os.ReadFile(ready); err == nil && string(have) == wanted {
		return interpreter
	}

	run := func(argv ...string) {
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		require.NoError(t, err, "%s\n%s", argv, out)
	}
	fmt.Fprintf(os.Stderr, "test/env: making a Python environment in %s (once)\n", dir)
	run(python, "-m", "venv", "--clear", filepath.Join(dir, "venv"))
	if len(packages) > 0 {
		run(append([]string{interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, packages...)...)
	}
	require.NoError(t, os.WriteFile(ready, []byte(wanted), 0o600))
	return interpreter
}
