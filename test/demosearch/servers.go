package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/test/env/server"
)

// servers are everything that the demo started, in this order.
type servers struct {
	postgres *server.Postgres
	search   *server.Search
	worker   *exec.Cmd
	dir      string // of the worker: topics, offsets, log
	rest     string // the worker's REST API
}

// start starts what is missing. close must be called also after an error.
func (s *servers) start(ctx context.Context, o options) error {
	for _, step := range []struct {
		what string
		run  func() error
	}{
		{"PostgreSQL", func() (err error) { s.postgres, err = server.StartPostgres(ctx); return err }},
		{"OpenSearch", func() (err error) { s.search, err = server.StartOpenSearch(ctx, server.SearchOptions{}); return err }},
		{"Tailrace, with a Kafka inside", func() error { return s.startWorker(ctx, o.bin) }},
	} {
		fmt.Fprintf(o.out, "  starting %s (what is missing is fetched once) …", step.what)
		began := time.Now()
		if err := step.run(); err != nil {
			fmt.Fprintln(o.out)
			return err
		}
		fmt.Fprintf(o.out, " %.1f s\n", time.Since(began).Seconds())
	}
	return nil
}

const workerTimeout = 2 * time.Minute

func (s *servers) startWorker(ctx context.Context, bin string) error {
	binary, err := filepath.Abs(filepath.Join(bin, "tailrace"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	if s.dir, err = os.MkdirTemp("", "tailrace-demo-"); err != nil {
		return err
	}
	rest, err := freePort(ctx)
	if err != nil {
		return err
	}
	kafka, err := freePort(ctx)
	if err != nil {
		return err
	}
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	s.rest = "http://127.0.0.1:" + strconv.Itoa(rest)
	s.worker = exec.Command(binary, "dev", "--data", filepath.Join(s.dir, "data"), "--rest", "127.0.0.1:"+strconv.Itoa(rest), //nolint:noctx // the program under demonstration; close ends it
		"--kafka-port", strconv.Itoa(kafka), "--plugins", filepath.Join(filepath.Dir(binary), "plugins"), "--log-level", "warn")
	s.worker.Stdout, s.worker.Stderr = log, log
	// Ctrl-C is ours to hand on; and the worker does not outlive us.
	s.worker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.worker.Start(); err != nil {
		s.worker = nil
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	for {
		var list []string
		if err = call(ctx, "GET", s.rest+"/connectors", nil, &list); err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the worker did not answer: %w; its log: %s", err, s.log())
		}
	}
}

func (s *servers) log() string { return filepath.Join(s.dir, "tailrace.log") }

// close stops everything, the last first.
func (s *servers) close() error {
	var errs []error
	if s.worker != nil {
		_ = s.worker.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(30*time.Second, func() { _ = s.worker.Process.Kill() })
		var exit *exec.ExitError
		if err := s.worker.Wait(); err != nil && !errors.As(err, &exit) {
			errs = append(errs, err)
		}
		timer.Stop()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if s.search != nil {
		errs = append(errs, s.search.Close())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	return errors.Join(errs...)
}

// freePort is one that nobody listened on a moment ago.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // a TCP listener has one
}
