package format

import (
	"bytes"
	"errors"
	"fmt"
)

// CSV reads rows after RFC 4180: fields between separators; a field that begins with a quote ends with one, and a quote
// inside it is doubled. It belongs to one goroutine.
type CSV struct {
	Separator, Quote byte
	cells            [][]byte
	scratch          []byte
}

// Row splits a row. The cells are valid until the next call; most of them are parts of the row itself.
func (c *CSV) Row(row []byte) ([][]byte, error) {
	c.cells, c.scratch = c.cells[:0], c.scratch[:0]
	for {
		var cell []byte
		var err error
		if len(row) > 0 && row[0] == c.Quote {
			if cell, row, err = c.quoted(row[1:]); err != nil {
				return nil, err
			}
			c.cells = append(c.cells, cell)
			if len(row) == 0 {
				return c.cells, nil
			}
			if row[0] != c.Separator {
				return nil, fmt.Errorf("column %d: text follows the closing quote", len(c.cells))
			}
			row = row[1:]
			continue
		}
		end := bytes.IndexByte(row, c.Separator)
		if end < 0 {
			return append(c.cells, row), nil
		}
		c.cells = append(c.cells, row[:end])
		row = row[end+1:]
	}
}

var errOpenQuote = errors.New("a quoted field is not closed")

// quoted reads a field behind its opening quote and returns what follows the closing one.
func (c *CSV) quoted(row []byte) (cell, rest []byte, err error) {
	end := bytes.IndexByte(row, c.Quote)
	if end < 0 {
		return nil, nil, errOpenQuote
	}
	if end+1 == len(row) || row[end+1] != c.Quote {
		return row[:end], row[end+1:], nil
	}
	if c.scratch == nil {
		c.scratch = make([]byte, 0, 4096)
	}
	from := len(c.scratch)
	for {
		c.scratch = append(c.scratch, row[:end]...)
		row = row[end+1:]
		if len(row) == 0 || row[0] != c.Quote {
			return c.scratch[from:len(c.scratch):len(c.scratch)], row, nil
		}
		c.scratch = append(c.scratch, c.Quote)
		row = row[1:]
		if end = bytes.IndexByte(row, c.Quote); end < 0 {
			return nil, nil, errOpenQuote
		}
	}
}

// Columns makes the fields of a header: those named in typed have their type, the others are strings.
func (c *CSV) Columns(header []byte, typed []Field) ([]Field, error) {
	cells, err := c.Row(bytes.TrimPrefix(header, []byte("\xEF\xBB\xBF"))) // the mark that some editors put first
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var columns []Field
	left := len(typed)
	for i, cell := range cells {
		name := string(bytes.TrimSpace(cell))
		if name == "" {
			return nil, fmt.Errorf("header: column %d has no name", i+1)
		}
		field := StringField(name)
		for _, f := range typed {
			if f.Name == name {
				field = f
				left--
			}
		}
		columns = append(columns, field)
	}
	if left > 0 {
		return nil, fmt.Errorf("the header %q lacks a column that the key \"fields\" names", clip(string(header)))
	}
	return columns, nil
}
