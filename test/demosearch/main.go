package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/term"
)

// options of one run.
type options struct {
	rows     int
	bin      string // folder of tailrace and plugins/
	exit     bool   // end when everything has arrived
	out      io.Writer
	terminal bool // the last line can be redrawn
}

func main() {
	runtime.LockOSThread() // the worker ends with this thread, and the main thread lives to the end
	o := options{out: os.Stdout, terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	flag.IntVar(&o.rows, "rows", 200_000, "rows of the table")
	flag.StringVar(&o.bin, "bin", "bin", "folder of tailrace and plugins/")
	flag.BoolVar(&o.exit, "exit", false, "end when every row has arrived; the status is 0 when table and index agree")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := run(ctx, o)
	if err == nil || ctx.Err() != nil && !o.exit { // ended by hand
		return
	}
	fmt.Fprintln(os.Stderr, "\ndemo-search:", err)
	cancel()
	os.Exit(1)
}
