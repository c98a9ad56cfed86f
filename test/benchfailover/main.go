package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/page"
)

type settings struct {
	rounds  int
	connect int // workers of a group of Kafka Connect; 0 leaves it out
	page    string
}

const tailraceWorkers = 3

// strikes are the ways in which a worker goes.
var strikes = []strike{
	{"clean stop (SIGTERM)", syscall.SIGTERM, false},
	{"clean stop, every core busy with another process", syscall.SIGTERM, true},
	{"SIGKILL", syscall.SIGKILL, false},
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "how often each case is measured with Tailrace; another worker goes each time")
	flag.IntVar(&s.connect, "connect-workers", 2, "workers in each of the two groups of Kafka Connect, which takes five minutes; 0 leaves it out")
	flag.StringVar(&s.page, "doc", "docs/benchmarks.md", "page whose text between the bench-failover marks is replaced; empty for none")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(1)
	}
}

// outcome is what a side gave.
type outcome struct {
	results []result
	err     error
}

func (s settings) run(ctx context.Context) (err error) {
	say("starting a broker")
	broker, err := server.StartBroker(ctx, server.BrokerOptions{HeapMiB: 512})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()

	// Kafka Connect waits for five minutes; Tailrace is measured meanwhile.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	theirs := make(chan outcome, 1)
	struck := make(chan struct{})
	go func() {
		all, err := s.kafkaConnect(ctx, broker.Addr(), struck)
		theirs <- outcome{all, err}
	}()
	<-struck
	results, err := s.tailrace(ctx, broker.Addr())
	if err != nil {
		cancel()
	}
	other := <-theirs
	if err = errors.Join(err, other.err); err != nil {
		return err
	}
	text := markdown(append(results, other.results...))
	fmt.Printf("\n%s", text)
	if s.page == "" || s.connect == 0 {
		return nil
	}
	return page.Replace(s.page, "bench-failover", text)
}

// tailrace measures every case in turn on one cluster, to which a new worker comes after each strike.
func (s settings) tailrace(ctx context.Context, bootstrap string) (all []result, err error) {
	g, err := openGroup(ctx, tailraceSide, bootstrap, "tailrace", tailraceWorkers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	for _, how := range strikes {
		stop := func() {}
		if how.busy {
			if stop, err = burn(); err != nil {
				return all, err
			}
		}
		for round := range s.rounds {
			r, err := g.strike(ctx, how, round%tailraceWorkers)
			if err != nil {
				stop()
				return all, err
			}
			all = append(all, r)
			if err := g.refill(ctx); err != nil {
				stop()
				return all, err
			}
		}
		stop()
	}
	return all, nil
}

// kafkaConnect strikes workers of two groups at the same time. It closes struck when Tailrace may be measured.
func (s settings) kafkaConnect(ctx context.Context, bootstrap string, struck chan<- struct{}) (all []result, err error) {
	once := sync.OnceFunc(func() { close(struck) })
	defer once()
	if s.connect == 0 {
		return nil, nil
	}
	cases := []strike{strikes[0], strikes[2]}
	groups := make([]*group, len(cases))
	for i := range cases {
		g, err := openGroup(ctx, connectSide, bootstrap, fmt.Sprintf("connect-%d", i), s.connect)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, g.close()) }()
		groups[i] = g
	}
	outcomes := make(chan outcome, len(cases))
	for i, how := range cases {
		go func() {
			all, err := groups[i].strikeTwice(ctx, how)
			outcomes <- outcome{all, err}
		}()
	}
	once()
	for range cases {
		o := <-outcomes
		all, err = append(all, o.results...), errors.Join(err, o.err)
	}
	return all, err
}

// strikeTwice lets the leader go, which the others do not wait for, and then a worker that does not lead.
func (g *group) strikeTwice(ctx context.Context, how strike) (all []result, err error) {
	for _, leads := range []bool{true, false} { // the first worker leads, and the one that replaces it does not
		r, err := g.strike(ctx, how, 0)
		if err != nil {
			return all, err
		}
		r.side += map[bool]string{true: leaderGoes, false: otherGoes}[leads]
		all = append(all, r)
		if err := g.refill(ctx); err != nil {
			return all, err
		}
	}
	return all, nil
}

const (
	leaderGoes = ", its leader"
	otherGoes  = ", another worker"
)

// burn keeps every core busy until stop is called.
func burn() (stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, cmd := range running {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	for range runtime.NumCPU() {
		cmd := exec.Command("sh", "-c", "while :; do :; done") //nolint:noctx // ended by stop
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			stop()
			return nil, err
		}
		running = append(running, cmd)
	}
	return stop, nil
}

// say tells on standard error what happens.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
