package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// MariaDB is a MariaDB server on 127.0.0.1. Its user is tailrace, password tailrace, with the database test.
type MariaDB struct {
	dir     string // data/, mariadb.log
	port    int
	process *process // nil while stopped
}

// StartMariaDB makes a data folder and starts a server on it. Debian's packages are installed when they are missing. Close
// ends it.
func StartMariaDB(ctx context.Context) (*MariaDB, error) {
	if _, err := exec.LookPath("mariadbd"); err != nil {
		if err := installPackages(ctx, "mariadb-server", "mariadb-client"); err != nil {
			return nil, err
		}
	}
	dir, err := ownedDir("tailrace-mariadb-", "mysql")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	m := &MariaDB{dir: dir, port: ports[0]}
	argv := append(asUser("mysql"), "mariadb-install-db", "--no-defaults", "--datadir="+m.data(), "--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a MariaDB data folder: %w\n%s", err, out), os.RemoveAll(dir))
	}
	// The server reads one statement a line.
	const script = "CREATE DATABASE test;\nCREATE USER tailrace@localhost IDENTIFIED BY 'tailrace';\nGRANT ALL ON *.* TO tailrace@localhost;\n"
	init := filepath.Join(dir, "init.sql")
	if err := os.WriteFile(init, []byte(script), 0o644); err != nil { //nolint:gosec // the server's user reads it
		return nil, err
	}
	if err := m.start(ctx, "--init-file="+init); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *MariaDB) data() string { return filepath.Join(m.dir, "data") }

// Port is the server's port on 127.0.0.1. It stays the same over stops and starts.
func (m *MariaDB) Port() int { return m.port }

// Log is the path of the server's log.
func (m *MariaDB) Log() string { return filepath.Join(m.dir, "mariadb.log") }

// Start starts a stopped server on its old data and port, and returns when it takes connections.
func (m *MariaDB) Start(ctx context.Context) error { return m.start(ctx) }

func (m *MariaDB) start(ctx context.Context, more ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, databaseTimeout, fmt.Errorf("not within %s", databaseTimeout))
	defer cancel()
	argv := append(asUser("mysql"), "mariadbd", "--no-defaults", "--datadir="+m.data(), "--bind-address=127.0.0.1",
		"--port="+strconv.Itoa(m.port), "--socket="+filepath.Join(m.dir, "s"), "--pid-file="+filepath.Join(m.dir, "pid"),
		"--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--innodb-buffer-pool-size=64M",
		"--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--character-set-server=utf8mb4")
	var logged int64
	if info, err := os.Stat(m.Log()); err == nil {
		logged = info.Size()
	}
	process, err := startProcess(append(argv, more...), os.Environ(), m.Log(), m.dir)
	if err != nil {
		return fmt.Errorf("start MariaDB: %w", err)
	}
	m.process = process
	if err := process.waitLog(ctx, "ready for connections", logged); err != nil {
		m.Kill()
		return fmt.Errorf("start MariaDB: %w", err)
	}
	return nil
}

// Stop ends the server. Its data stays.
func (m *MariaDB) Stop() error {
	if m.process == nil {
		return nil
	}
	err := m.process.stop(stopGrace)
	m.process = nil
	return err
}

// Kill ends the server as a crash would. Its data stays.
func (m *MariaDB) Kill() {
	if m.process != nil {
		m.process.kill()
		m.process = nil
	}
}

// Close ends the server and removes its data.
func (m *MariaDB) Close() error { return errors.Join(m.Stop(), os.RemoveAll(m.dir)) }
