package dialect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options say how to connect.
type Options struct {
	// URL is a jdbc: URL or the native form of the driver.
	URL            string
	User, Password string
	// Dialect is the value of dialect.name: empty, a short name or that of a Java class.
	Dialect string
	// Isolation is the value of transaction.isolation.mode, "DEFAULT" for the server's own.
	Isolation string
	// QuoteNever is quote.sql.identifiers=never.
	QuoteNever bool
	Settings
}

// connectTimeout bounds connecting to one host, unless the URL says otherwise.
const connectTimeout = 10 * time.Second

// dialects are the values of dialect.name.
var dialects = map[string]string{
	"postgresql": "postgresql", "postgresqldatabasedialect": "postgresql",
	"mysql": "mysql", "mysqldatabasedialect": "mysql", "mariadb": "mysql", "mariadbdatabasedialect": "mysql",
	"sqlite": "sqlite", "sqlitedatabasedialect": "sqlite",
}

// Open makes a Database from its address; nothing is connected yet. Warnings are sentences about parts of the address that have no
// effect. No error or warning shows the URL, which may hold a password.
func Open(o Options) (db Database, warnings []string, err error) {
	address, kind := strings.TrimSpace(o.URL), ""
	rest, isJDBC := strings.CutPrefix(address, "jdbc:")
	switch scheme, _, _ := strings.Cut(rest, ":"); {
	case slices.Contains([]string{"postgresql", "postgres"}, scheme):
		kind = "postgresql"
	case slices.Contains([]string{"mysql", "mariadb"}, scheme):
		kind = "mysql"
	case scheme == "sqlite" || scheme == "file":
		kind = "sqlite"
	case isJDBC:
		return nil, nil, fmt.Errorf("jdbc:%s is not one of the databases of this connector: postgresql, mysql, mariadb, sqlite", scheme)
	}
	if o.Dialect != "" {
		known := dialects[strings.ToLower(o.Dialect)]
		if known == "" {
			return nil, nil, fmt.Errorf("the dialect %q is not one of PostgreSqlDatabaseDialect, MySqlDatabaseDialect, SqliteDatabaseDialect", o.Dialect)
		}
		kind = known
	}
	if kind == "" {
		switch {
		case strings.Contains(address, "@tcp(") || strings.Contains(address, "@unix("):
			kind = "mysql"
		case strings.Contains(address, "host=") || strings.Contains(address, "dbname="):
			kind = "postgresql"
		case strings.HasSuffix(address, ".db") || strings.HasSuffix(address, ".sqlite") || strings.HasSuffix(address, ".sqlite3"):
			kind = "sqlite"
		default:
			return nil, nil, errors.New("the address does not tell which database it is; use a jdbc: URL, or set the key \"dialect.name\"")
		}
	}
	p := &parameters{values: map[string]string{}}
	switch kind {
	case "postgresql":
		db, err = openPostgres(o, rest, isJDBC, p)
	case "mysql":
		db, err = openMySQL(o, rest, p)
	default:
		db, err = openSQLite(o, rest, isJDBC, p)
	}
	if err == nil {
		err = p.left()
	}
	if err != nil {
		return nil, nil, err
	}
	return db, p.warnings, nil
}

func isolation(mode string) (string, error) {
	switch mode {
	case "", "DEFAULT":
		return "", nil
	case "READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE":
		return strings.ToLower(strings.ReplaceAll(mode, "_", " ")), nil
	}
	return "", fmt.Errorf("the isolation mode %q is not known to these databases", mode)
}
