package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/tailrace/tailrace/host/cli/client"
)

// settings is the config file: named workers, one of them current.
type settings struct {
	Current  string            `yaml:"current,omitempty"`
	Contexts map[string]target `yaml:"contexts"`
}

// target is a worker and how to talk to it. Secrets stand in files of their own.
type target struct {
	Server       string `yaml:"server"`
	Username     string `yaml:"username,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
	TokenFile    string `yaml:"token_file,omitempty"`
	CAFile       string `yaml:"ca_file,omitempty"`
}

// settingsFile is $XDG_CONFIG_HOME/tailrace/config.yaml.
func settingsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("the config file has no place: %w; name the worker with --server", err)
	}
	return filepath.Join(dir, "tailrace", "config.yaml"), nil
}

// readSettings reads the config file; without one there are no contexts.
func readSettings() (settings, string, error) {
	var s settings
	file, err := settingsFile()
	if err != nil {
		return s, "", err
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, file, nil
	} else if err != nil {
		return s, file, err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, file, fmt.Errorf("%s: %w", file, err)
	}
	return s, file, nil
}

func (s settings) write(file string) error {
	data, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	beside := file + ".new"
	if err := os.WriteFile(beside, data, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, file)
}

func (s settings) names() []string { return slices.Sorted(maps.Keys(s.Contexts)) }

// target picks the worker: --server, --context, TAILRACE_SERVER, the current context, the usual address.
func (r *remote) target() (target, error) {
	if r.server != "" {
		return target{Server: r.server}, nil
	}
	if server := os.Getenv("TAILRACE_SERVER"); server != "" && r.context == "" {
		return target{Server: server}, nil
	}
	s, file, err := readSettings()
	if err != nil {
		if r.context == "" && file == "" {
			return target{Server: client.DefaultServer}, nil // no home folder, nothing asked of it
		}
		return target{}, err
	}
	name := r.context
	if name == "" {
		name = s.Current
	}
	if name == "" {
		return target{Server: client.DefaultServer}, nil
	}
	t, ok := s.Contexts[name]
	switch {
	case !ok:
		return t, usageError{fmt.Errorf("%s has no context %s; there are: %s", file, name, strings.Join(s.names(), ", "))}
	case t.Server == "":
		return t, fmt.Errorf("%s: the context %s has no server", file, name)
	}
	return t, nil
}

// options reads the files that a target names.
func (t target) options() (client.Options, error) {
	o := client.Options{Server: t.Server, Username: t.Username}
	var failed error
	read := func(file string) string {
		if file == "" {
			return ""
		}
		data, err := os.ReadFile(file)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("a file of the context: %w", err))
		}
		return strings.TrimRight(string(data), "\r\n")
	}
	o.Password, o.Token, o.RootsPEM = read(t.PasswordFile), read(t.TokenFile), []byte(read(t.CAFile))
	return o, failed
}

func newContext(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Name workers, and choose the one that commands talk to",
		Long: "Contexts stand in $XDG_CONFIG_HOME/tailrace/config.yaml (~/.config/tailrace/config.yaml). A password or a token stands in\n" +
			"a file of its own that the context names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the contexts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := readSettings()
			if err != nil {
				return err
			}
			var rows [][]string
			for _, name := range s.names() {
				mark := ""
				if name == s.Current {
					mark = "*"
				}
				rows = append(rows, []string{mark, name, redactURL(s.Contexts[name].Server), s.Contexts[name].Username})
			}
			r.printer(cmd).table([]string{"", "context", "server", "username"}, rows)
			return nil
		},
	}, &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a context the current one",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			s, file, err := readSettings()
			if err != nil {
				return err
			}
			if _, ok := s.Contexts[args[0]]; !ok {
				return usageError{fmt.Errorf("%s has no context %s; there are: %s", file, args[0], strings.Join(s.names(), ", "))}
			}
			s.Current = args[0]
			return s.write(file)
		},
	}, newContextSet())
	return cmd
}

func newContextSet() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "set NAME --server URL",
		Short: "Add or replace a context; the first one becomes the current one",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if t.Server == "" {
				return usageError{errors.New("--server is missing")}
			}
			if _, err := client.New(client.Options{Server: t.Server}); err != nil {
				return usageError{err}
			}
			if redactURL(t.Server) != t.Server {
				return usageError{errors.New("write the password into a file and name it with --password-file, not in the address")} // I-9
			}
			s, file, err := readSettings()
			if err != nil {
				return err
			}
			if s.Contexts == nil {
				s.Contexts = map[string]target{}
			}
			s.Contexts[args[0]] = t
			if s.Current == "" {
				s.Current = args[0]
			}
			return s.write(file)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&t.Server, "server", "s", "", "address of a worker's REST API")
	f.StringVar(&t.Username, "username", "", "name for basic authentication")
	f.StringVar(&t.PasswordFile, "password-file", "", "file with the password")
	f.StringVar(&t.TokenFile, "token-file", "", "file with a bearer token")
	f.StringVar(&t.CAFile, "ca-file", "", "PEM file of the authorities to trust instead of the system's")
	return cmd
}

func (r *remote) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	s, _, err := readSettings()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.names(), cobra.ShellCompDirectiveNoFileComp
}
