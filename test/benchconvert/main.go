package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/page"
)

func main() {
	var s settings
	flag.IntVar(&s.records, "records", 300_000, "records of each case in a round")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds that count")
	flag.StringVar(&s.page, "doc", "docs/benchmarks.md", "page whose text between the bench-convert marks is replaced; empty for none")
	flag.StringVar(&s.only, "only", "", "a part of the names of the cases to run; the page stays as it is then")
	short := flag.Bool("short", false, "a quick look that writes nothing")
	flag.Parse()
	if *short {
		s.records, s.rounds, s.page = 100_000, 2, ""
	}
	if s.only != "" {
		s.page = ""
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "benchconvert:", err)
		os.Exit(1)
	}
}

type settings struct {
	records, rounds int
	page, only      string
}

func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "tailrace-benchconvert-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	url := "" // without a registry there is no Avro
	if s.only == "" || strings.Contains(s.only, "avro") {
		registry, err := server.StartRegistry(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = registry.Close() }()
		url = registry.URL()
	}
	ours, err := newOurs(ctx, url, dir)
	if err != nil {
		return err
	}
	theirs, err := startTheirs(ctx, url, dir)
	if err != nil {
		return err
	}
	defer theirs.close()

	var all []figure
	for round := range s.rounds + 1 {
		for _, c := range cases {
			if !strings.Contains(c.name, s.only) || url == "" && strings.Contains(c.name, "avro") {
				continue
			}
			fmt.Fprintf(os.Stderr, "\rround %d of %d, %-40s", round, s.rounds, c.what)
			for _, side := range []struct {
				name    string
				measure func(name string, records int) (time.Duration, error)
			}{{tailrace, ours.measure}, {connect, theirs.measure}} {
				name := c.name
				if side.name == tailrace && c.as != "" {
					name = c.as
				}
				took, err := side.measure(name, s.records)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.what, side.name, err)
				}
				if round > 0 {
					all = append(all, figure{c.name, side.name, float64(took.Nanoseconds()) / float64(s.records)})
				}
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	text := report(all, s, theirs.java)
	fmt.Print(text)
	if s.page == "" {
		return nil
	}
	return page.Replace(s.page, "bench-convert", text)
}

const tailrace, connect = "Tailrace", "Kafka Connect"

// cases in the order of the table. as is the name of our side's case where it is another one.
var cases = []struct{ name, what, as string }{
	{"read-json-with-schema", "read JSON with schema", ""},
	{"write-json-with-schema", "write JSON with schema", ""},
	{"read-json-plain", "read JSON without schema", ""},
	{"write-json-plain", "write JSON without schema", ""},
	{"read-avro", "read Avro", ""},
	{"write-avro", "write Avro", ""},
	{"read-bare-avro", "read Avro; their side without a registry", "read-avro"},
	{"write-bare-avro", "write Avro; their side without a registry", "write-avro"},
	{"chain-json-with-schema", "five transforms on a struct", ""},
	{"chain-json-plain", "five transforms on a map", ""},
	{"way-json-with-schema", "JSON with schema in, five transforms, out", ""},
	{"way-json-plain", "JSON without schema in, five transforms, out", ""},
	{"way-avro", "Avro in, five transforms, out", ""},
}
