package dialect

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
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

// Open makes a Database from its address; nothing is connected yet. No error shows the URL, which may hold a password.
func Open(o Options) (Database, error) {
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
		return nil, fmt.Errorf("jdbc:%s is not one of the databases of this connector: postgresql, mysql, mariadb, sqlite", scheme)
	}
	if o.Dialect != "" {
		known := dialects[strings.ToLower(o.Dialect)]
		if known == "" {
			return nil, fmt.Errorf("the dialect %q is not one of PostgreSqlDatabaseDialect, MySqlDatabaseDialect, SqliteDatabaseDialect", o.Dialect)
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
			return nil, errors.New("the address does not tell which database it is; use a jdbc: URL, or set the key \"dialect.name\"")
		}
	}
	switch kind {
	case "postgresql":
		return openPostgres(o, rest)
	case "mysql":
		return openMySQL(o, rest)
	}
	return openSQLite(o, rest)
}

// parameters takes the query parameters of a URL one by one; what is left at the end is not known.
type parameters map[string]string

func parametersOf(query string) (parameters, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters behind ? in the address are not valid")
	}
	p := parameters{}
	for k, v := range values {
		p[strings.ToLower(k)] = v[len(v)-1]
	}
	return p, nil
}

func (p parameters) take(names ...string) string {
	found := ""
	for _, name := range names {
		if v, ok := p[strings.ToLower(name)]; ok {
			delete(p, strings.ToLower(name))
			found = v
		}
	}
	return found
}

func (p parameters) drop(names ...string) {
	for _, n := range names {
		delete(p, strings.ToLower(n))
	}
}

func (p parameters) left() error {
	if len(p) == 0 {
		return nil
	}
	var names []string
	for k := range p {
		names = append(names, k)
	}
	slices.Sort(names)
	return fmt.Errorf("the parameters %s of the address are not known to this connector", strings.Join(names, ", "))
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

func openPostgres(o Options, address string) (Database, error) {
	kv := address
	var params parameters
	if strings.HasPrefix(address, "postgres") && strings.Contains(address, ":") && !strings.Contains(address, "dbname=") {
		base, query, _ := strings.Cut(address, "?")
		var err error
		if params, err = parametersOf(query); err != nil {
			return nil, err
		}
		keep := url.Values{}
		set := func(key, value string) {
			if value != "" {
				keep.Set(key, value)
			}
		}
		if u := params.take("user"); o.User == "" {
			o.User = u
		}
		if p := params.take("password"); o.Password == "" {
			o.Password = p
		}
		sslmode := params.take("sslmode")
		if ssl := params.take("ssl"); ssl == "true" && sslmode == "" {
			sslmode = "verify-full"
		}
		set("sslmode", sslmode)
		set("sslrootcert", params.take("sslrootcert"))
		set("sslcert", params.take("sslcert"))
		set("sslkey", params.take("sslkey"))
		set("application_name", params.take("ApplicationName", "application_name"))
		set("search_path", params.take("currentSchema", "search_path"))
		set("connect_timeout", params.take("connectTimeout", "connect_timeout", "loginTimeout"))
		set("statement_timeout", params.take("statement_timeout"))
		set("options", params.take("options"))
		target := params.take("targetServerType", "target_session_attrs")
		if t, ok := map[string]string{
			"primary": "read-write", "master": "read-write", "secondary": "standby", "slave": "standby",
			"preferSecondary": "prefer-standby", "preferSlave": "prefer-standby",
		}[target]; ok {
			target = t
		}
		set("target_session_attrs", target)
		// What only concerns the Java driver's own workings.
		params.drop("prepareThreshold", "defaultRowFetchSize", "tcpKeepAlive", "reWriteBatchedInserts", "loadBalanceHosts", "socketTimeout",
			"stringtype", "binaryTransfer", "preferQueryMode", "loggerLevel", "assumeMinServerVersion", "autosave")
		if err := params.left(); err != nil {
			return nil, err
		}
		scheme, tail, _ := strings.Cut(base, ":")
		if !strings.HasPrefix(tail, "//") {
			tail = "//localhost/" + tail // jdbc:postgresql:database
		}
		kv = scheme + ":" + tail + "?" + keep.Encode()
	}
	cfg, err := pgconn.ParseConfig(kv)
	if err != nil {
		return nil, errors.New("the address is no valid PostgreSQL address; the form is jdbc:postgresql://host:5432/database")
	}
	if o.User != "" {
		cfg.User = o.User
	}
	if o.Password != "" {
		cfg.Password = o.Password
	}
	if cfg.Database == "" {
		cfg.Database = cfg.User
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	level, err := isolation(o.Isolation)
	if err != nil {
		return nil, err
	}
	for k, v := range map[string]string{
		"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "TimeZone": "UTC",
		"extra_float_digits": "1", "bytea_output": "hex", "default_transaction_isolation": level,
	} {
		if v != "" {
			cfg.RuntimeParams[k] = v
		}
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "tailrace jdbc-source"
	}
	return &postgres{config: cfg, settings: o.Settings, never: o.QuoteNever}, nil
}

func openMySQL(o Options, address string) (Database, error) {
	db := &mySQL{zeroDate: "exception", settings: o.Settings, never: o.QuoteNever}
	level, err := isolation(o.Isolation)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(address, "mysql://") && !strings.HasPrefix(address, "mariadb://") {
		cfg, err := mysql.ParseDSN(address)
		if err != nil {
			return nil, errors.New("the address is no valid MySQL address; the form is jdbc:mysql://host:3306/database or user@tcp(host:3306)/database")
		}
		return db, db.add(cfg, o, level)
	}
	_, tail, _ := strings.Cut(address, "://")
	base, query, _ := strings.Cut(tail, "?")
	params, err := parametersOf(query)
	if err != nil {
		return nil, err
	}
	hosts, name, _ := strings.Cut(base, "/")
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		user, password, _ := strings.Cut(hosts[:at], ":")
		if o.User == "" {
			o.User = user
		}
		if o.Password == "" {
			o.Password = password
		}
		hosts = hosts[at+1:]
	}
	if u := params.take("user"); o.User == "" {
		o.User = u
	}
	if p := params.take("password"); o.Password == "" {
		o.Password = p
	}
	if z := params.take("zeroDateTimeBehavior"); z != "" {
		db.zeroDate = strings.ToLower(strings.ReplaceAll(z, "convertToNull", "convert_to_null"))
	}
	tls := map[string]string{
		"required": "skip-verify", "verify_ca": "true", "verify_identity": "true", "preferred": "preferred", "disabled": "false", "disable": "false",
		"trust": "skip-verify", "verify-ca": "true", "verify-full": "true", "": "",
	}
	mode, ok := tls[strings.ToLower(params.take("sslMode"))]
	if !ok {
		return nil, errors.New("the parameter sslMode of the address is not one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
	}
	if params.take("useSSL") == "true" && mode == "" {
		mode = "skip-verify"
	}
	params.drop("allowPublicKeyRetrieval", "useUnicode", "characterEncoding", "serverTimezone", "connectionTimeZone", "autoReconnect",
		"useCursorFetch", "defaultFetchSize", "rewriteBatchedStatements", "tinyInt1isBit", "yearIsDateType", "useLegacyDatetimeCode",
		"cachePrepStmts", "useServerPrepStmts", "verifyServerCertificate", "requireSSL", "socketTimeout", "connectTimeout", "tcpKeepAlive",
		"nullCatalogMeansCurrent", "databaseTerm")
	if err := params.left(); err != nil {
		return nil, err
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "3306")
		}
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.DBName, cfg.TLSConfig = "tcp", host, name, mode
		if err := db.add(cfg, o, level); err != nil {
			return nil, err
		}
	}
	return db, nil
}

// add finishes the configuration of one host.
func (m *mySQL) add(cfg *mysql.Config, o Options, level string) error {
	if o.User != "" {
		cfg.User = o.User
	}
	if o.Password != "" {
		cfg.Passwd = o.Password
	}
	cfg.ParseTime, cfg.InterpolateParams, cfg.MultiStatements = false, false, false
	cfg.Timeout = connectTimeout
	cfg.DialFunc = dial(connectTimeout)
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	if level != "" {
		cfg.Params["tx_isolation"] = "'" + strings.ReplaceAll(level, " ", "-") + "'"
	}
	cfg.Logger = &mysql.NopLogger{}
	m.hosts = append(m.hosts, cfg)
	return nil
}

func openSQLite(o Options, address string) (Database, error) {
	path := strings.TrimPrefix(address, "sqlite:")
	base, query, _ := strings.Cut(path, "?")
	if base == "" || base == ":memory:" {
		return nil, errors.New("name the file of the database, for example jdbc:sqlite:/var/lib/app/app.db")
	}
	// A reader waits while another process writes, and never writes itself. A missing file is not made.
	base = strings.TrimPrefix(base, "file:")
	mode := "&mode=rw"
	if strings.Contains(query, "mode=") {
		mode = ""
	}
	if query != "" {
		query = "&" + query
	}
	dsn := "file:" + base + "?_pragma=busy_timeout(5000)&_pragma=query_only(1)" + mode + query
	return &sqliteDB{dsn: dsn, settings: o.Settings, never: o.QuoteNever}, nil
}
