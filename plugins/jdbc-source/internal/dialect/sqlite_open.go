package dialect

import (
	"errors"
	"net/url"
	"strings"
)

// sqlitePragmas are settings of SQLite that its JDBC driver takes as parameters and that concern a reader.
var sqlitePragmas = []string{"busy_timeout", "cache_size", "mmap_size", "temp_store", "synchronous", "foreign_keys", "case_sensitive_like"}

func openSQLite(o Options, address string, isJDBC bool, p *parameters) (Database, error) {
	base, query, _ := strings.Cut(strings.TrimPrefix(address, "sqlite:"), "?")
	base = strings.TrimPrefix(base, "file:")
	if base == "" || base == ":memory:" {
		return nil, errors.New("name the file of the database, for example jdbc:sqlite:/var/lib/app/app.db")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters behind ? in the address are not valid")
	}
	if err := p.parse(query); err != nil {
		return nil, err
	}
	if isJDBC { // a path, where the driver wants a URI
		base = strings.NewReplacer("%", "%25", "#", "%23").Replace(base)
	}
	// A reader waits while another process writes, and never writes itself. A missing file is not made.
	dsn := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}, "mode": {"rw"}}
	for _, name := range []string{"mode", "cache", "immutable", "nolock", "vfs"} {
		if v := p.take(name); v != "" {
			dsn.Set(name, v)
		}
	}
	if p.take("_pragma") != "" {
		dsn["_pragma"] = append(dsn["_pragma"], values["_pragma"]...)
	}
	for _, name := range sqlitePragmas {
		if v := p.take(name); v != "" {
			dsn.Add("_pragma", name+"("+v+")")
		}
	}
	p.ignore("nothing is written", "journal_mode", "transaction_mode", "auto_vacuum", "page_size", "journal_size_limit", "locking_mode")
	p.ignore("moments are read as text or as milliseconds since 1970", "date_class", "date_precision", "date_string_format", "_time_format", "_timezone", "_texttotime", "_inttotime", "_txlock")
	return &sqliteDB{dsn: "file:" + base + "?" + dsn.Encode(), settings: o.Settings, never: o.QuoteNever}, nil
}
