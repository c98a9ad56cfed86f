// Command testenv runs another command with a real Kafka broker beside it:
//
//	testenv go test ./...
//
// The command finds the broker's address in TAILRACE_TEST_KAFKA. testenv ends with the command's exit status, and the
// broker ends with testenv, however that ends. Where TAILRACE_TEST_KAFKA is set already, that broker is used.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testenv command [argument …]")
		os.Exit(2)
	}
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// run returns the command's exit status.
func run(argv []string) (status int, err error) {
	// Ctrl-C reaches the command too: we wait for it, then stop the broker.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	if os.Getenv(env.KafkaVariable) == "" {
		started := time.Now()
		broker, err := server.StartBroker(ctx, server.BrokerOptions{})
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, broker.Close()) }()
		if err := os.Setenv(env.KafkaVariable, broker.Addr()); err != nil {
			return 1, err
		}
		fmt.Printf("Apache Kafka %s at %s, ready after %.1fs; its log: %s\n",
			server.KafkaVersion, broker.Addr(), time.Since(started).Seconds(), broker.Log())
	}

	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}
