package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
)

// mapping gives columns to the tables whose whole name its expression matches.
type mapping struct {
	table   *regexp.Regexp
	text    string
	columns []string
}

// mappings reads "expression:column" and "expression:[column|column]". The last colon counts, because expressions may have some.
func mappings(texts []string) ([]mapping, error) {
	var out []mapping
	for _, text := range texts {
		at := strings.LastIndexByte(text, ':')
		if at <= 0 || at == len(text)-1 {
			return nil, fmt.Errorf("%q is not of the form expression:column or expression:[column|column]", text)
		}
		list, err := expressions([]string{strings.TrimSpace(text[:at])})
		if err != nil {
			return nil, err
		}
		m := mapping{table: list[0], text: text}
		columns := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text[at+1:]), "["), "]")
		for column := range strings.SplitSeq(columns, "|") {
			if column = strings.TrimSpace(column); column != "" {
				m.columns = append(m.columns, column)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// columnsOf finds the columns of a table. Exactly one mapping should match, because with two it would be left to chance.
func columnsOf(list []string, key string, t dialect.Table) ([]string, error) {
	all, err := mappings(list)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	var found *mapping
	for i := range all {
		if !all[i].table.MatchString(t.String()) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("table %s matches both %q and %q of the key %q; it should match one", t, found.text, all[i].text, key)
		}
		found = &all[i]
	}
	if found == nil {
		return nil, fmt.Errorf("table %s matches nothing in the key %q; add it there, or leave the table out", t, key)
	}
	return found.columns, nil
}
