package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tailrace/tailrace/test/env/server"
)

type settings struct {
	small  int // lines of 100 bytes
	large  int // lines of 1 KiB
	rounds int
	sides  []side
	short  bool
	dir    string
	json   string
	page   string
}

// smallLine is the length of the short lines, in bytes.
const smallLine = 100

func main() {
	var s settings
	var names string
	flag.IntVar(&s.small, "lines", 2_000_000, "lines of 100 bytes; 0 leaves them out")
	flag.IntVar(&s.large, "lines-1k", 500_000, "lines of 1 KiB; 0 leaves them out")
	flag.IntVar(&s.rounds, "rounds", 2, "runs of each side in each case, the sides in turn")
	flag.BoolVar(&s.short, "short", false, "a quick look: a tenth of the lines, no page is written")
	flag.StringVar(&names, "sides", "connect,tailrace", "who takes part, in this order")
	flag.StringVar(&s.dir, "dir", os.TempDir(), "folder for input and output files")
	flag.StringVar(&s.json, "json", ".run/bench.json", "file for all figures")
	flag.StringVar(&s.page, "doc", "docs/benchmarks.md", "page whose text between the bench marks is replaced; empty for none")
	flag.Parse()

	err := s.parseSides(names)
	if err == nil {
		ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer cancel()
		err = s.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nbench:", err)
		os.Exit(1)
	}
}

func (s *settings) parseSides(names string) error {
	for name := range strings.SplitSeq(names, ",") {
		found, ok := sides[name]
		if !ok {
			return fmt.Errorf("-sides: unknown side %q; there are connect and tailrace", name)
		}
		s.sides = append(s.sides, found)
	}
	if s.rounds < 1 {
		return errors.New("-rounds must be at least 1")
	}
	if s.short {
		s.small, s.large, s.page = s.small/10, s.large/10, ""
	}
	return nil
}

func (s *settings) run(ctx context.Context) (err error) {
	java, err := server.FindJava()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "tailrace-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	broker, err := server.StartBroker(ctx, server.BrokerOptions{HeapMiB: 1024, Optimize: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	topics, err := newTopics(broker.Addr())
	if err != nil {
		return err
	}
	defer topics.client.Close()

	var inputs []lines
	for _, l := range []lines{{s.small, smallLine}, {s.large, 1024}} {
		if l.count > 0 {
			inputs = append(inputs, l)
		}
	}
	steps := 2 + len(inputs)*2*s.rounds*(len(s.sides)+1)
	if s.small > 0 {
		steps += s.rounds * len(s.sides)
	}
	b := &bench{dir: dir, broker: broker, topics: topics, progress: newProgress(steps)}
	if err := s.warmUp(ctx, b); err != nil {
		return err
	}
	report := newReport(java.Major, s.short)
	for _, l := range inputs {
		runs, err := s.runCase(ctx, b, l)
		report.Runs = append(report.Runs, runs...)
		if err != nil {
			return err
		}
	}

	fmt.Printf("\n%s", report.markdown())
	if err := report.save(s.json); err != nil {
		return err
	}
	if s.page != "" {
		return report.publish(s.page)
	}
	return nil
}

// warmUp runs the bare loops once and counts nothing: the broker's JVM compiles what it needs.
func (s *settings) warmUp(ctx context.Context, b *bench) error {
	l := lines{count: 200_000, size: 100}
	input := filepath.Join(b.dir, "input")
	if err := l.write(input); err != nil {
		return err
	}
	topic, _, err := b.floors(ctx, l, input)
	return errors.Join(err, b.topics.remove(ctx, topic))
}

// runCase measures everything with lines of one size.
func (s *settings) runCase(ctx context.Context, b *bench, l lines) (runs []figures, err error) {
	input := filepath.Join(b.dir, "input")
	if err := l.write(input); err != nil {
		return nil, err
	}
	var topic string
	for round := range s.rounds {
		filled, floors, err := b.floors(ctx, l, input)
		if err != nil {
			return runs, err
		}
		for _, f := range floors {
			f.Round = round
			runs = append(runs, f)
		}
		if topic != "" {
			if err := b.topics.remove(ctx, topic); err != nil {
				return runs, err
			}
		}
		topic = filled
	}
	measures := []func(side) (figures, error){
		func(x side) (figures, error) { return b.source(ctx, x, l, input) },
		func(x side) (figures, error) { return b.sink(ctx, x, l, topic) },
	}
	if l.size == smallLine {
		measures = append(measures, func(x side) (figures, error) { return b.exactlyOnce(ctx, x, l, input) })
	}
	for _, measure := range measures {
		for round := range s.rounds {
			for _, x := range s.sides {
				f, err := measure(x)
				f.Round = round
				runs = append(runs, f)
				if err != nil {
					return runs, err
				}
			}
		}
	}
	return runs, errors.Join(b.topics.remove(ctx, topic), os.Remove(input))
}
