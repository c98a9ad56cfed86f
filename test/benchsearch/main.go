package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/page"
)

type settings struct {
	documents int
	rounds    int
	only      string
	standIn   bool
	page      string
}

func main() {
	var s settings
	short := flag.Bool("short", false, "a quick look: a tenth of the documents, no page is written")
	flag.IntVar(&s.documents, "documents", 200_000, "documents a run")
	flag.IntVar(&s.rounds, "rounds", 3, "runs of each side, in turn")
	serve := flag.Bool("stand-in", false, "used by itself: serve as the stand-in")
	flag.BoolVar(&s.standIn, "no-server", false, "write to a stand-in that answers as OpenSearch and keeps nothing, for a machine that is busy")
	flag.StringVar(&s.only, "only", "", "the one side to run, by its name; no page is written")
	flag.StringVar(&s.page, "doc", "docs/benchmarks.md", "page whose text between the bench-search marks is replaced; empty for none")
	flag.Parse()
	if *serve {
		if err := serveStandIn(); err != nil {
			fmt.Fprintln(os.Stderr, "bench-search:", err)
			os.Exit(1)
		}
		return
	}
	if *short {
		s.documents, s.rounds, s.page = s.documents/10, 2, ""
	}
	if s.only != "" {
		s.page = ""
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\nbench-search:", err)
		os.Exit(1)
	}
}

func (s settings) run(ctx context.Context) (err error) {
	broker, err := server.StartBroker(ctx, server.BrokerOptions{HeapMiB: 512, Optimize: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	address, stop, err := s.search(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	b := &bench{bootstrap: broker.Addr(), index: index{address}, documents: s.documents}
	if err := b.fill(ctx); err != nil {
		return err
	}
	if _, err := b.run(ctx, sides[0], b.documents); err != nil { // warms the servers' compilers, counts for nothing
		return err
	}
	var all []run
	for round := range s.rounds {
		for _, x := range sides {
			if s.only != "" && x.name != s.only {
				continue
			}
			r, err := b.run(ctx, x, b.documents)
			if err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
			all = append(all, r)
			fmt.Fprintf(os.Stderr, "round %d of %d: %-36s %6.2f us of CPU a document (worker %.2f), %.0fk documents/s\n",
				round+1, s.rounds, x.name, r.micros(), r.workerMicros(), r.rate()/1000)
		}
	}
	text := report(all, s)
	fmt.Print(text)
	if s.page == "" {
		return nil
	}
	return page.Replace(s.page, "bench-search", text)
}

// search starts what the documents go to.
func (s settings) search(ctx context.Context) (url string, stop func() error, err error) {
	if s.standIn {
		return startStandIn(ctx)
	}
	node, err := server.StartOpenSearch(ctx, server.SearchOptions{HeapMiB: 2048, Optimize: true})
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.Close, nil
}
