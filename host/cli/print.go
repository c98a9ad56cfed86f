package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"gopkg.in/yaml.v3"
)

// printer shows answers to people and to programs.
type printer struct {
	out    io.Writer
	form   string
	colour bool
}

// value shows a value as JSON or YAML and tells whether that was asked for.
func (p *printer) value(v any) (done bool, err error) {
	if p.form == asTable || p.form == "" {
		return false, nil
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return true, err
	}
	data := text.Bytes()
	if p.form == asYAML {
		if data, err = toYAML(data); err != nil {
			return true, err
		}
	}
	_, err = p.out.Write(data)
	return true, err
}

// toYAML rewrites JSON in YAML's block style, with the keys in their order. JSON is YAML already.
func toYAML(data []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		return nil, err
	}
	plain(&node)
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	err := e.Encode(&node)
	return text.Bytes(), err
}

// plain lets the encoder choose the style of every node.
func plain(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, child := range n.Content {
		plain(child)
	}
}

// table shows rows below a header.
func (p *printer) table(header []string, rows [][]string) {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "   "
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	w.AppendHeader(row(header))
	for _, r := range rows {
		for i := range r {
			r[i] = clean(r[i])
		}
		if p.colour {
			for i := range r {
				r[i] = coloured(r[i])
			}
		}
		w.AppendRow(row(r))
	}
	fmt.Fprintln(p.out, w.Render())
}

func row(cells []string) table.Row {
	out := make(table.Row, len(cells))
	for i, c := range cells {
		out[i] = c
	}
	return out
}

// line shows one line.
func (p *printer) line(format string, args ...any) {
	fmt.Fprintln(p.out, clean(fmt.Sprintf(format, args...)))
}

// The colours of states; everything else stays as it is.
var colours = map[string]string{
	"RUNNING": "32", "PAUSED": "33", "STOPPED": "33", "UNASSIGNED": "33", "RESTARTING": "33", "FAILED": "31",
	"ok": "32", "warning": "33", "problem": "31", "create": "32", "update": "33",
}

// coloured gives a word that is a state its colour.
func coloured(word string) string {
	if code, ok := colours[word]; ok {
		return "\x1b[" + code + "m" + word + "\x1b[0m"
	}
	return word
}

// clean keeps what a worker sends from steering the terminal: control characters but line ends and tabs are replaced.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

// firstLine is the first line of a text that has something on it.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// redactURL hides the password of an address.
func redactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not an address)"
	}
	return u.Redacted()
}
