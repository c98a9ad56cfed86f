package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manual is the part of docs/cli.md that stands before the commands.
const manual = `# The command line

*This page is made from the commands: ` + "`go test ./host/cli -update`" + ` rewrites it, and a test compares.*

` + "`tailrace`" + ` runs workers, and is a client of any Kafka Connect REST API: of Tailrace, and of Kafka Connect itself (4.1; most works
with older versions too).

## Which worker

In this order: ` + "`--server`" + `, ` + "`--context`" + `, the environment variable ` + "`TAILRACE_SERVER`" + `, the current context of the config file,
` + "`http://localhost:8083`" + `. The config file is ` + "`$XDG_CONFIG_HOME/tailrace/config.yaml`" + ` (usually ` + "`~/.config/tailrace/config.yaml`" + `):

    current: local
    contexts:
      local:
        server: http://localhost:8083
      production:
        server: https://connect.example.com
        username: ops                              # basic authentication …
        password_file: /home/ops/.connect-password
        token_file: /home/ops/.connect-token       # … or a bearer token
        ca_file: /etc/ssl/private-ca.pem           # authorities to trust instead of the system's

Passwords and tokens stand in files of their own.

## Output

Tables are for people and may change; ` + "`-o json`" + ` and ` + "`-o yaml`" + ` are for programs and only grow. Answers go to standard output, errors and
notes to standard error. Colours and redrawing are used on a terminal only; ` + "`NO_COLOR`" + ` switches colours off. Secrets are hidden
everywhere (` + "`[hidden]`" + `); only ` + "`connector get --show-secrets`" + ` shows them.

A worker that is busy (a rebalance, a start) is asked again for as long as ` + "`--retry-for`" + ` says. A change that may have been carried out is
never sent twice.

## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | called wrongly |
| 3 | the connector, task or plugin does not exist |
| 4 | the worker does not answer |
| 5 | the worker refuses the request or the configuration |
| 6 | conflict: it exists already, or the cluster is rebalancing for longer than ` + "`--retry-for`" + ` |
| 7 | ` + "`diff`" + ` found differences, ` + "`doctor`" + ` found a problem |

## Completion

` + "`tailrace completion bash`" + ` (or zsh, fish, powershell) writes the script for a shell; names of connectors are asked from the worker.

    source <(tailrace completion bash)

## Commands
`

func TestTheManualIsThatOfTheCommands(t *testing.T) {
	var c calls
	root := newRoot(c.commands())
	var text strings.Builder
	text.WriteString(manual)
	document(&text, root)
	golden(t, filepath.Join("..", "..", "docs", "cli.md"), text.String())
}

// document writes a command and those below it.
func document(out *strings.Builder, cmd *cobra.Command) {
	if cmd.Runnable() && !cmd.HasSubCommands() {
		fmt.Fprintf(out, "\n### %s\n\n    %s\n\n%s.", cmd.CommandPath(), cmd.UseLine(), cmd.Short)
		if cmd.Long != "" {
			fmt.Fprintf(out, " %s", cmd.Long)
		}
		out.WriteString("\n")
		if cmd.Example != "" {
			fmt.Fprintf(out, "\n    %s\n", strings.ReplaceAll(strings.TrimSpace(cmd.Example), "\n  ", "\n    "))
		}
		flags(out, cmd.LocalNonPersistentFlags())
	} else if cmd.HasPersistentFlags() {
		fmt.Fprintf(out, "\n### %s …\n\n%s. These flags are for every command below.\n", cmd.CommandPath(), cmd.Short)
		flags(out, cmd.PersistentFlags())
	}
	for _, child := range cmd.Commands() {
		if child.Name() != "help" && child.Name() != "completion" && !child.Hidden {
			document(out, child)
		}
	}
}

func flags(out *strings.Builder, set *pflag.FlagSet) {
	first := true
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		if first {
			out.WriteString("\n| flag | meaning |\n|---|---|\n")
			first = false
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		usage := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "-1" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(out, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
}
