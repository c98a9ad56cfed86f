package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Lab are the arguments of `tailrace transform`.
type Lab struct {
	ConfigFile string
	Input      io.Reader
	// Records tells that lines are whole records; Topic is that of lines without one.
	Records bool
	Topic   string
	// Sink runs the chain as in a sink; Steps shows the record after each transform.
	Sink, Steps bool
}

// LabResult is what became of one record.
type LabResult struct {
	// JSON is all of it for programs.
	JSON []byte
	// Line is that of the input.
	Line int
	// Diff are the lines of the record before and after, marked by ' ', '-' and '+'.
	Diff    []string
	Dropped bool
	Error   *LabError
	Steps   []LabStep
}

// LabStep is what one transform did.
type LabStep struct {
	Transform, Class string
	Dropped          bool
	Diff             []string
}

// LabError says why a record failed; Transform is empty when its line could not be read.
type LabError struct{ Transform, Class, Exception, Message string }

func newTransform(c Commands) *cobra.Command {
	var o Lab
	var output, file string
	cmd := &cobra.Command{
		Use:   "transform --config FILE [--input FILE]",
		Short: "Try transforms: run records through a chain and show them before and after",
		Long: "Reads lines of JSON from standard input, runs each through the transforms of a connector's configuration, and shows what they\n" +
			"change. A line is a value, {\"schema\":…,\"payload\":…} for one with a schema, or with --records a whole record. No worker and no\n" +
			fmt.Sprintf("Kafka is needed. The status is %d when a record failed. See docs/transforms.md.", statusFound),
		Example: "  tailrace transform --config chain.properties < records.jsonl\n" +
			"  echo '{\"price\":\"12.50\"}' | tailrace transform --config connector.json --steps",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != asTable && output != asJSON {
				return usageError{fmt.Errorf("--output %s is not known; there are table and json", output)}
			}
			if o.ConfigFile == "" {
				return usageError{errors.New("give --config FILE: a connector's configuration, or only its keys transforms… and predicates…")}
			}
			o.Input = cmd.InOrStdin()
			if file != "" && file != "-" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				o.Input = f
			}
			return runLab(cmd.Context(), c, o, output, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.ConfigFile, "config", "c", "", "connector file, JSON or properties")
	f.StringVarP(&file, "input", "i", "", "file of records (default: standard input)")
	f.BoolVar(&o.Records, "records", false, "each line is a record with topic, key, value, headers")
	f.StringVar(&o.Topic, "topic", "topic", "topic of records that name none")
	f.BoolVar(&o.Sink, "sink", false, "run the chain as in a sink connector (records have offsets)")
	f.BoolVar(&o.Steps, "steps", false, "show the record after each transform")
	f.StringVarP(&output, "output", "o", asTable, "form of the output: table, json")
	return cmd
}

func runLab(ctx context.Context, c Commands, o Lab, output string, out io.Writer) error {
	p := &printer{out: out, form: output, colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
	number, failed := 0, 0
	err := c.Transform(ctx, o, func(r LabResult) error {
		number++
		if r.Error != nil {
			failed++
		}
		if output == asJSON {
			_, err := fmt.Fprintf(out, "%s\n", r.JSON)
			return err
		}
		p.lab(number, r)
		return nil
	})
	if err != nil {
		return err
	}
	if output == asTable {
		p.line("%d records, %d failed", number, failed)
	}
	if failed > 0 {
		return errFound
	}
	return nil
}

// lab shows one record to a person.
func (p *printer) lab(number int, r LabResult) {
	p.line("record %d (line %d)", number, r.Line)
	for _, s := range r.Steps {
		p.line("  %s (%s)%s", s.Transform, s.Class, droppedText(s.Dropped))
		if !s.Dropped {
			p.changes(s.Diff)
		}
	}
	switch e := r.Error; {
	case e != nil:
		if len(r.Steps) == 0 {
			p.changes(r.Diff)
		}
		text := e.Message
		if e.Exception != "" {
			text = e.Exception + ": " + text
		}
		if e.Transform != "" {
			text = "transform " + e.Transform + " (" + e.Class + ") failed: " + text
		}
		p.line("  %s", p.paint("31", "! "+text))
	case r.Dropped:
		if len(r.Steps) == 0 {
			p.line("  %s", p.paint("33", "dropped"))
		}
	case len(r.Steps) == 0:
		p.changes(r.Diff)
	}
}

func droppedText(dropped bool) string {
	if dropped {
		return ": dropped"
	}
	return ""
}

func (p *printer) changes(lines []string) {
	for _, l := range lines {
		l = "  " + clean(l)
		switch {
		case strings.HasPrefix(l, "  -"):
			l = p.paint("31", l)
		case strings.HasPrefix(l, "  +"):
			l = p.paint("32", l)
		}
		fmt.Fprintln(p.out, l)
	}
}

// paint gives a text a colour where there are some.
func (p *printer) paint(code, text string) string {
	text = clean(text)
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
