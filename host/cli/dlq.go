package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// DeadLetters reads and replays dead letters. A topic is read from its beginning to its end at that time.
type DeadLetters interface {
	Read(ctx context.Context, at DeadLetterTopic, choice LetterChoice, each func(Letter) error) error
	Replay(ctx context.Context, at DeadLetterTopic, choice LetterChoice, o Replay) (ReplaySummary, error)
}

// DeadLetterTopic is a topic and how to reach its cluster: an address, a file of a Kafka client, or a worker's file.
type DeadLetterTopic struct{ Topic, Bootstrap, ClientFile, WorkerFile string }

// LetterChoice chooses letters; what is empty takes all.
type LetterChoice struct {
	Connector, Stage, Origin, Error, Where string
	Headers                                map[string]string
	Since, Until                           time.Time
}

// Letter is a dead letter. Partition numbers and offsets that are not known are -1.
type Letter struct {
	Partition       int32
	Offset          int64
	Time            time.Time
	Topic           string
	OriginPartition int32
	OriginOffset    int64

	Connector, Task, Stage, Class, Transform string
	Error, Message, Trace                    string
	Form, SourcePartition, SourceOffset      string
	Cut, CutReason                           string

	Key, Value []byte
	Headers    []LetterHeader
	Replayed   bool
}

// LetterHeader is a header of the record itself.
type LetterHeader struct {
	Name  string
	Value []byte
}

// Replay are the arguments of `tailrace dlq replay`.
type Replay struct {
	To, ConfigFile   string
	Again, DryRun    bool
	RecordsPerSecond int
	Told             func(ReplayProgress)
}

// ReplayProgress is how far a replay is.
type ReplayProgress struct {
	Done, Total int
	PerSecond   float64
	Left        time.Duration
}

// ReplaySummary is what a replay did.
type ReplaySummary struct {
	Chosen   int `json:"chosen"`
	Before   int `json:"replayed_before"`
	Replayed int `json:"replayed"`
}

// dlq is what the commands share.
type dlq struct {
	letters      DeadLetters
	at           DeadLetterTopic
	choice       LetterChoice
	since, until string
	output       string
	now          func() time.Time
	headers      []string
	limit        int
	replay       Replay
	partition    int32
	offset       int64
}

func newDLQ(c Commands) *cobra.Command {
	d := &dlq{letters: c.DeadLetters, now: time.Now}
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, and send them where they belong",
		Long: "A dead letter is a record that could not be handled, in the topic of errors.deadletterqueue.topic.name. These commands\n" +
			"talk to Kafka, not to a worker, and work with the dead letters of Kafka Connect too. See docs/dead-letters.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVarP(&d.at.Bootstrap, "bootstrap", "b", "", "address of the Kafka cluster, host:port")
	f.StringVar(&d.at.ClientFile, "command-config", "", "properties of a Kafka client: bootstrap.servers, security.protocol and so on")
	f.StringVar(&d.at.WorkerFile, "worker", "", "take how to reach Kafka from this worker.properties")
	f.StringVarP(&d.output, "output", "o", asTable, "form of the output: table, json, yaml")
	cmd.AddCommand(d.newList(), d.newShow(), d.newReplay())
	return cmd
}

// choose adds the flags that choose letters.
func (d *dlq) choose(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.choice.Connector, "connector", "", "only letters of this connector")
	f.StringVar(&d.choice.Stage, "stage", "", "only letters of this stage, such as VALUE_CONVERTER")
	f.StringVar(&d.choice.Origin, "from-topic", "", "only letters of records of (or for) this topic")
	f.StringVar(&d.choice.Error, "error", "", "only letters with this in the class or message of the error")
	f.StringArrayVar(&d.headers, "header", nil, "only letters of records with this header, NAME=VALUE (can be repeated)")
	f.StringVar(&d.since, "since", "", "only letters from this time on: 2024-01-31T12:00:00Z, or 90m ago as 90m")
	f.StringVar(&d.until, "until", "", "only letters before this time")
	f.StringVar(&d.choice.Where, "where", "", "only letters for which this CEL expression holds, such as 'stage == \"TASK_PUT\" && value.id > 7'")
}

// ready checks the flags.
func (d *dlq) ready(topic string) (err error) {
	d.at.Topic = topic
	if d.at.Bootstrap == "" && d.at.ClientFile == "" && d.at.WorkerFile == "" {
		return usageError{errors.New("name the Kafka cluster: --bootstrap HOST:PORT, --command-config FILE or --worker FILE")}
	}
	if d.output != asTable && d.output != asJSON && d.output != asYAML {
		return usageError{fmt.Errorf("--output %s is not known; there are table, json and yaml", d.output)}
	}
	if d.choice.Since, err = d.moment("since", d.since); err != nil {
		return err
	}
	if d.choice.Until, err = d.moment("until", d.until); err != nil {
		return err
	}
	d.choice.Headers = map[string]string{}
	for _, h := range d.headers {
		name, value, ok := cut(h)
		if !ok {
			return usageError{fmt.Errorf("--header %s: the form is NAME=VALUE", h)}
		}
		d.choice.Headers[name] = value
	}
	return nil
}

func cut(text string) (name, value string, ok bool) {
	for i := range len(text) {
		if text[i] == '=' {
			return text[:i], text[i+1:], i > 0
		}
	}
	return "", "", false
}

// moment reads a time, or how long ago it was.
func (d *dlq) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return d.now().Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usageError{fmt.Errorf("--%s %s: give a time such as 2024-01-31T12:00:00Z, or a duration such as 90m", flag, text)}
	}
	return at, nil
}

func (d *dlq) newList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list TOPIC",
		Short:   "List dead letters with their errors",
		Example: "  tailrace dlq list orders-dlq --bootstrap localhost:9092 --since 24h --error DataException",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.ready(args[0]); err != nil {
				return err
			}
			return d.list(cmd.Context(), cmd.OutOrStdout())
		},
	}
	d.choose(cmd)
	cmd.Flags().IntVar(&d.limit, "limit", 100, "show at most so many, the newest ones; 0 is for all")
	return cmd
}

func (d *dlq) list(ctx context.Context, out io.Writer) error {
	var found []Letter
	total := 0
	err := d.letters.Read(ctx, d.at, d.choice, func(l Letter) error {
		total++
		l.Trace = ""
		if d.output == asTable {
			l.Key, l.Value, l.Headers = nil, nil, nil
		}
		if found = append(found, l); d.limit > 0 && len(found) > d.limit {
			found = found[1:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	p := &printer{out: out, form: d.output, colour: isTerminal(out)}
	shown := make([]letterView, len(found))
	for i := range found {
		shown[i] = viewOf(&found[i])
	}
	if done, err := p.value(shown); done {
		return err
	}
	rows := make([][]string, len(found))
	for i, l := range found {
		rows[i] = []string{
			strconv.Itoa(int(l.Partition)) + ":" + strconv.FormatInt(l.Offset, 10), l.Time.Format("2006-01-02 15:04:05"), l.Connector + "-" + l.Task, l.where(), l.step(),
			shorten(firstLine(l.Error[lastDot(l.Error):]+": "+l.Message), 70), map[bool]string{true: "yes"}[l.Replayed],
		}
	}
	p.table([]string{"letter", "time", "task", "record", "failed in", "error", "replayed"}, rows)
	if total > len(found) {
		p.line("%d of %d; --limit 0 shows all", len(found), total)
	}
	return nil
}

func lastDot(class string) int {
	for i := len(class) - 1; i >= 0; i-- {
		if class[i] == '.' {
			return i + 1
		}
	}
	return 0
}

func shorten(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

// where is the place of the record.
func (l *Letter) where() string {
	switch {
	case l.SourcePartition != "":
		return l.Topic + " from " + l.SourcePartition
	case l.OriginOffset >= 0:
		return l.Topic + "-" + strconv.Itoa(int(l.OriginPartition)) + "@" + strconv.FormatInt(l.OriginOffset, 10)
	}
	return l.Topic
}

func (l *Letter) step() string {
	if l.Transform != "" {
		return l.Stage + " " + l.Transform
	}
	return l.Stage
}

func (d *dlq) newShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show TOPIC [PARTITION:]OFFSET",
		Short:   "Show one dead letter: the error with its trace, and the record",
		Example: "  tailrace dlq show orders-dlq 17 --bootstrap localhost:9092",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.ready(args[0]); err != nil {
				return err
			}
			if err := d.place(args[1]); err != nil {
				return err
			}
			return d.show(cmd.Context(), cmd.OutOrStdout())
		},
	}
	return cmd
}

func (d *dlq) place(text string) (err error) {
	d.partition = 0
	for i := range len(text) {
		if text[i] == ':' {
			n, err := strconv.ParseInt(text[:i], 10, 32)
			if err != nil {
				return usageError{fmt.Errorf("%s is no place of a letter; `dlq list` shows them, such as 0:17", text)}
			}
			d.partition, text = int32(n), text[i+1:]
			break
		}
	}
	if d.offset, err = strconv.ParseInt(text, 10, 64); err != nil {
		return usageError{fmt.Errorf("%s is no offset of a letter; `dlq list` shows them", text)}
	}
	return nil
}

func (d *dlq) show(ctx context.Context, out io.Writer) error {
	d.choice = LetterChoice{Where: "letter == " + strconv.FormatInt(d.offset, 10)}
	var found *Letter
	err := d.letters.Read(ctx, d.at, d.choice, func(l Letter) error {
		if l.Partition == d.partition {
			found = &l
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("topic %s has no letter at offset %d of partition %d", d.at.Topic, d.offset, d.partition)
	}
	p := &printer{out: out, form: d.output, colour: isTerminal(out)}
	if done, err := p.value(viewOf(found)); done {
		return err
	}
	p.letter(found)
	return nil
}

func (d *dlq) newReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay TOPIC",
		Short: "Write dead letters to the topics that they belong to, each once",
		Long: "Writes the record of each chosen letter, with its own key, headers and timestamp, to the topic that it came from or was for. Correct\n" +
			"the cause first. What was replayed is noted in TOPIC-replayed, in the same transaction: a replay that was interrupted goes on\n" +
			"where it was, and no letter is replayed twice, unless --again is given. Letters of a source that were not converted yet need the\n" +
			"connector's configuration: the transforms, from the one that failed on, and the converters are applied as they are there.",
		Example: "  tailrace dlq replay orders-dlq --bootstrap localhost:9092 --stage VALUE_CONVERTER --dry-run\n" +
			"  tailrace dlq replay orders-dlq --bootstrap localhost:9092 --rate 500",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.ready(args[0]); err != nil {
				return err
			}
			return d.send(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	d.choose(cmd)
	f := cmd.Flags()
	f.StringVar(&d.replay.To, "to", "", "write to this topic instead of each letter's own")
	f.StringVar(&d.replay.ConfigFile, "config", "", "connector file of the source whose letters these are")
	f.BoolVar(&d.replay.Again, "again", false, "replay letters that were replayed before, too")
	f.BoolVar(&d.replay.DryRun, "dry-run", false, "count and check, write nothing")
	f.IntVar(&d.replay.RecordsPerSecond, "rate", 0, "at most so many records a second; 0 is for no limit")
	return cmd
}

func (d *dlq) send(ctx context.Context, out, notes io.Writer) error {
	if d.replay.RecordsPerSecond < 0 {
		return usageError{errors.New("--rate is a number of records a second, 0 for no limit")}
	}
	live := isTerminal(notes)
	if live {
		d.replay.Told = func(p ReplayProgress) {
			fmt.Fprintf(notes, "\r\x1b[K%d of %d, %.0f a second, %s left", p.Done, p.Total, p.PerSecond, p.Left.Round(time.Second))
		}
	}
	sum, err := d.letters.Replay(ctx, d.at, d.choice, d.replay)
	if live {
		fmt.Fprint(notes, "\r\x1b[K")
	}
	if err != nil {
		if sum.Replayed > 0 {
			return fmt.Errorf("%w (%d letters were replayed before; the next replay goes on behind them)", err, sum.Replayed)
		}
		return err
	}
	p := &printer{out: out, form: d.output}
	if done, err := p.value(sum); done {
		return err
	}
	rest := sum.Chosen - sum.Before
	switch {
	case d.replay.DryRun && d.replay.Again:
		p.line("%d letters would be replayed, %d of them again; nothing was written", sum.Chosen, sum.Before)
	case d.replay.DryRun:
		p.line("%d letters would be replayed, %d were before; nothing was written", rest, sum.Before)
	default:
		p.line("%d letters replayed; %d of the %d chosen were before", sum.Replayed, sum.Before, sum.Chosen)
	}
	return nil
}
