package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Postgres is a PostgreSQL server with an empty cluster, on 127.0.0.1. Its user is postgres, without a password.
type Postgres struct {
	bin     string // folder of the programs
	dir     string // data/, postgres.log
	port    int
	process *process // nil while stopped
}

// StartPostgres makes a cluster and starts it. Debian's packages are installed when they are missing. Close ends it.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	bin, err := postgresPrograms(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := ownedDir("tailrace-postgres-", "postgres")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin, dir: dir, port: ports[0]}
	argv := append(asUser("postgres"), filepath.Join(bin, "initdb"), "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8",
		"--locale=C.UTF-8", "--no-sync")
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a PostgreSQL cluster: %w\n%s", err, out), os.RemoveAll(dir))
	}
	if err := p.Start(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// postgresPrograms is the folder with the newest server's programs.
func postgresPrograms(ctx context.Context) (string, error) {
	find := func() string {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		slices.Sort(found)
		if len(found) == 0 {
			return ""
		}
		return filepath.Dir(found[len(found)-1])
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	if err := installPackages(ctx, "postgresql"); err != nil {
		return "", err
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	return "", errors.New("the package postgresql has no /usr/lib/postgresql/*/bin/initdb")
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// Port is the server's port on 127.0.0.1. It stays the same over stops and starts.
func (p *Postgres) Port() int { return p.port }

// PID is the process id of the server, 0 while it is stopped.
func (p *Postgres) PID() int {
	if p.process == nil {
		return 0
	}
	return p.process.cmd.Process.Pid
}

// Log is the path of the server's log.
func (p *Postgres) Log() string { return filepath.Join(p.dir, "postgres.log") }

// Start starts a stopped server on its old data and port, and returns when it takes connections.
func (p *Postgres) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, databaseTimeout, fmt.Errorf("not within %s", databaseTimeout))
	defer cancel()
	argv := append(asUser("postgres"), filepath.Join(p.bin, "postgres"), "-D", p.data(), "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+p.dir, "-c", "fsync=off", "-c", "shared_buffers=64MB",
		"-c", "wal_level=logical", "-c", "max_wal_size=2GB")
	var logged int64
	if info, err := os.Stat(p.Log()); err == nil {
		logged = info.Size()
	}
	process, err := startProcess(argv, os.Environ(), p.Log(), p.dir)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	p.process = process
	if err := process.waitLog(ctx, "ready to accept connections", logged); err != nil {
		p.Kill()
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return nil
}

// Stop ends the server and its connections ("fast" shutdown). Its data stays.
func (p *Postgres) Stop() error {
	if p.process == nil {
		return nil
	}
	// The process group would get SIGTERM, which waits for clients; SIGINT to the postmaster does not.
	_ = syscall.Kill(p.process.cmd.Process.Pid, syscall.SIGINT)
	err := p.process.stop(stopGrace)
	p.process = nil
	return err
}

// Kill ends the server as a crash would. Its data stays.
func (p *Postgres) Kill() {
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
}

// Close ends the server and removes its data.
func (p *Postgres) Close() error { return errors.Join(p.Stop(), os.RemoveAll(p.dir)) }
