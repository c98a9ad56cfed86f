package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/plan"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// config holds the keys, grouped as in the manual. Names are those of Confluent's and Aiven's connectors.
type config struct {
	URL       string           `config:"connection.url" required:"true" nonempty:"true" importance:"high" group:"Database" doc:"Address of the database: jdbc:postgresql://host:5432/db, jdbc:mysql://host:3306/db, jdbc:mariadb://…, jdbc:sqlite:/path/file.db, or the native form (postgres://…, user@tcp(host:3306)/db, file:/path). Several hosts, separated by commas, are tried in turn. Give the password in connection.password."`
	User      string           `config:"connection.user" importance:"high" group:"Database" doc:"User of the database."`
	Password  connect.Password `config:"connection.password" importance:"high" group:"Database" doc:"Password of the user. It is never shown."`
	Attempts  int32            `config:"connection.attempts" default:"-1" min:"-1" importance:"low" group:"Database" doc:"How often in a row connecting may fail before the task fails; -1 tries without end."`
	Backoff   time.Duration    `config:"connection.backoff.ms" default:"10000" min:"0" importance:"low" group:"Database" doc:"Milliseconds between two attempts to connect."`
	Dialect   string           `config:"dialect.name" default:"" importance:"low" group:"Database" doc:"The database, when the address does not tell: PostgreSqlDatabaseDialect, MySqlDatabaseDialect, SqliteDatabaseDialect (or postgresql, mysql, sqlite)."`
	Isolation string           `config:"transaction.isolation.mode" default:"DEFAULT" valid:"DEFAULT,READ_UNCOMMITTED,READ_COMMITTED,REPEATABLE_READ,SERIALIZABLE" anycase:"true" importance:"low" group:"Database" doc:"Isolation of the queries; DEFAULT is the server's."`

	Whitelist  []string      `config:"table.whitelist" default:"" group:"Tables" doc:"Tables to read, and no others: names, or names with schema."`
	Blacklist  []string      `config:"table.blacklist" default:"" group:"Tables" doc:"Tables to leave out."`
	Include    []string      `config:"table.include.list" default:"" group:"Tables" doc:"Regular expressions of the tables to read, for the whole name with schema (public\\.orders_.*)."`
	Exclude    []string      `config:"table.exclude.list" default:"" group:"Tables" doc:"Regular expressions of tables to leave out."`
	Catalog    *string       `config:"catalog.pattern" group:"Tables" doc:"Pattern (% and _) of the catalog: the database in MySQL. Empty means without."`
	Schema     *string       `config:"schema.pattern" group:"Tables" doc:"Pattern (% and _) of the schema."`
	Types      []string      `config:"table.types" default:"TABLE" group:"Tables" doc:"Types of tables: TABLE, VIEW, and in PostgreSQL MATERIALIZED VIEW, FOREIGN TABLE."`
	TablePoll  time.Duration `config:"table.poll.interval.ms" default:"60000" min:"10" importance:"low" group:"Tables" doc:"Milliseconds between two looks for new and dropped tables."`
	Qualify    bool          `config:"table.names.qualify" default:"false" importance:"low" group:"Tables" doc:"Whether topics are named after the whole name of the table, with schema."`
	Quote      string        `config:"quote.sql.identifiers" default:"always" valid:"always,never" anycase:"true" importance:"low" group:"Tables" doc:"Whether names are quoted in queries: always or never."`
	QuoteAiven *bool         `config:"sql.quote.identifiers" importance:"low" group:"Tables" doc:"The same as true or false (Aiven's name of the key)."`
	Split      int32         `config:"table.split" default:"1" min:"1" max:"1000" group:"Tables" doc:"Into how many shares each table is divided, by stripes of its incrementing key, so that several tasks read it. For the modes incrementing and bulk."`
	SplitKeys  int64         `config:"table.split.keys" default:"100000" min:"1" importance:"low" group:"Tables" doc:"How many consecutive keys make a stripe."`

	Mode        string           `config:"mode" required:"true" valid:"bulk,incrementing,timestamp,timestamp+incrementing" importance:"high" group:"Mode" doc:"How new rows are found: bulk reads everything again and again; incrementing by a key that only grows; timestamp by the time of the last change; timestamp+incrementing by both."`
	Inc         string           `config:"incrementing.column.name" default:"" group:"Mode" doc:"The column that only grows. Empty means the primary key."`
	Times       []string         `config:"timestamp.column.name" default:"" group:"Mode" doc:"The columns of the time of the last change; the first that is not null counts."`
	IncBy       []string         `config:"incrementing.column.mapping" default:"" importance:"low" group:"Mode" doc:"The columns that only grow, by table: regular expressions of the whole name with schema, each with a column (public\\.a.*:id,public\\.b:number)."`
	TimesBy     []string         `config:"timestamp.columns.mapping" default:"" importance:"low" group:"Mode" doc:"The columns of the last change, by table: regular expressions of the whole name with schema, each with its columns (public\\.a.*:[changed|created])."`
	IncInitial  *int64           `config:"incrementing.initial" importance:"low" group:"Mode" doc:"Without a stored offset, read rows whose key is above this."`
	TimeInitial *int64           `config:"timestamp.initial" importance:"low" group:"Mode" doc:"Without a stored offset, read rows changed after this, in milliseconds since 1970; -1 means now."`
	TimeAiven   *int64           `config:"timestamp.initial.ms" importance:"low" group:"Mode" doc:"The same (Aiven's name of the key)."`
	NonNull     bool             `config:"validate.non.null" default:"true" importance:"low" group:"Mode" doc:"Whether to refuse incrementing and timestamp columns that may be null."`
	Query       string           `config:"query" default:"" group:"Mode" doc:"A query to read instead of tables. In the modes other than bulk it is used as a subquery, so it may have a WHERE clause."`
	Masked      connect.Password `config:"query.masked" importance:"low" group:"Mode" doc:"The same as query, for one that nobody should see."`
	Suffix      string           `config:"query.suffix" default:"" importance:"low" group:"Mode" doc:"Text to append to every query. Queries are then not divided into pages."`
	Retries     int32            `config:"query.retry.attempts" default:"-1" min:"-1" importance:"low" group:"Mode" doc:"How often in a row a query may fail with an error that may pass before the task fails; -1 tries without end."`

	Poll        time.Duration `config:"poll.interval.ms" default:"5000" min:"0" importance:"high" group:"Reading" doc:"Milliseconds between two looks for new rows in a table."`
	Batch       int32         `config:"batch.max.rows" default:"5000" min:"1" importance:"low" group:"Reading" doc:"The most rows in one batch."`
	Page        int32         `config:"query.page.rows" default:"50000" min:"1" importance:"low" group:"Reading" doc:"The most rows of one query, in the modes with an incrementing column."`
	Delay       time.Duration `config:"timestamp.delay.interval.ms" default:"0" min:"0" importance:"high" group:"Reading" doc:"How many milliseconds a row must be old to be read, so that earlier transactions can still be committed."`
	Prefix      string        `config:"topic.prefix" required:"true" importance:"high" group:"Records" doc:"What the name of the table is put behind to name the topic; with a query, the topic."`
	Zone        string        `config:"db.timezone" default:"UTC" group:"Records" doc:"The time zone of columns without one, for example Europe/Berlin."`
	Calendar    string        `config:"date.calendar.system" default:"LEGACY" valid:"LEGACY,PROLEPTIC_GREGORIAN" anycase:"true" importance:"low" group:"Records" doc:"How dates and moments before 15 October 1582 are counted: LEGACY as java.util.Date does, by the Julian calendar, so that a reader in Java sees the date of the column; PROLEPTIC_GREGORIAN by the Gregorian calendar throughout, as the databases, ISO 8601 and java.time do."`
	Numeric     *string       `config:"numeric.mapping" group:"Records" doc:"How decimal columns are mapped: none (Decimal), precision_only (whole numbers where the scale is 0), best_fit (and FLOAT64 up to 18 digits), best_fit_eager_double (FLOAT64 wherever there is a scale)."`
	NumericOld  bool          `config:"numeric.precision.mapping" default:"false" importance:"low" group:"Records" doc:"true is numeric.mapping=precision_only (deprecated)."`
	Granularity string        `config:"timestamp.granularity" default:"connect_logical" valid:"connect_logical,micros_long,nanos_long,micros_string,nanos_string,micros_iso_datetime_string,nanos_iso_datetime_string" anycase:"true" importance:"low" group:"Records" doc:"What moments become: connect_logical (Timestamp in milliseconds, what is below is cut off), micros_long, nanos_long, micros_string, nanos_string, micros_iso_datetime_string or nanos_iso_datetime_string, which lose nothing."`
}

// share is what the connector adds for a task.
type share struct {
	Tables string `config:"task.tables" default:"" internal:"true" doc:"Set by the connector."`
	Index  int32  `config:"task.split.index" default:"0" internal:"true" doc:"Set by the connector."`
}

// foreign are keys of other connectors that cannot be honoured, or need not be.
var foreign = []connect.ConfigKey{
	connect.RefusedKey("connection.oracle.use.defaults", "there is no Oracle here", "false"),
	connect.RefusedKey("jdbc.credentials.provider.class", "Java classes cannot be loaded; use connection.user and connection.password", "io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"),
	connect.RefusedKey("query.parameters", "write the query without WHERE and name the columns in incrementing.column.name and timestamp.column.name"),
	connect.RefusedKey("incrementing.relaxed.monotonic", "use mode timestamp+incrementing with timestamp.delay.interval.ms", "false"),
	connect.IdleKey("table.monitoring.startup.polling.limit.ms", "the tables are listed when the connector starts"),
	connect.IdleKey("max.buffer.size", "rows go from the query into a batch of batch.max.rows, nothing else is buffered"),
	connect.IdleKey("poll.linger.ms", "a batch is handed on as soon as it has rows"),
}

// families are the beginnings of the keys of JDBC connectors.
var families = []string{
	"connection.", "jdbc.", "table.", "query", "timestamp.", "incrementing.", "numeric.", "db.", "dialect.", "batch.", "poll.", "schema.", "catalog.",
	"validate.", "quote.", "sql.", "mode", "date.", "topic.prefix", "topic.naming", "transaction.isolation",
}

func definition() *connect.ConfigDef {
	keys := connect.DefineStruct(config{}).Keys()
	for i := range keys {
		keys[i].Check = checks[keys[i].Name]
	}
	keys = append(keys, connect.DefineStruct(share{}).Keys()...)
	return connect.NewConfigDef(append(keys, foreign...)...)
}

var checks = map[string]func(string) error{
	"db.timezone":                 func(v string) error { _, err := zone(v); return err },
	"numeric.mapping":             func(v string) error { _, err := numeric(v); return err },
	"table.include.list":          func(v string) error { _, err := expressions(split(v)); return err },
	"table.exclude.list":          func(v string) error { _, err := expressions(split(v)); return err },
	"incrementing.column.mapping": func(v string) error { _, err := mappings(split(v)); return err },
	"timestamp.columns.mapping":   func(v string) error { _, err := mappings(split(v)); return err },
}

func split(v string) []string {
	var out []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func zone(v string) (*time.Location, error) {
	if v == "" || v == "UTC" || v == "Z" {
		return time.UTC, nil
	}
	loc, err := time.LoadLocation(v)
	if err != nil {
		return nil, errors.New("it is no time zone; want a name such as UTC or Europe/Berlin")
	}
	return loc, nil
}

func numeric(v string) (dialect.NumericMapping, error) {
	m, ok := map[string]dialect.NumericMapping{
		"": dialect.NumericNone, "none": dialect.NumericNone, "precision_only": dialect.NumericPrecisionOnly,
		"best_fit": dialect.NumericBestFit, "best_fit_eager_double": dialect.NumericBestFitEagerDouble,
	}[strings.ToLower(v)]
	if !ok {
		return 0, errors.New("want none, precision_only, best_fit or best_fit_eager_double")
	}
	return m, nil
}

func granularity(v string) (dialect.Granularity, error) {
	g, ok := map[string]dialect.Granularity{
		"connect_logical": dialect.ConnectLogical, "micros_long": dialect.MicrosLong, "nanos_long": dialect.NanosLong,
		"micros_string": dialect.MicrosString, "nanos_string": dialect.NanosString,
		"micros_iso_datetime_string": dialect.ISOString, "nanos_iso_datetime_string": dialect.ISOString,
	}[strings.ToLower(v)]
	if !ok {
		return 0, errors.New("want connect_logical, micros_long, nanos_long, micros_string, nanos_string, micros_iso_datetime_string or nanos_iso_datetime_string")
	}
	return g, nil
}

func expressions(texts []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, t := range texts {
		re, err := regexp.Compile("^(?:" + t + ")$")
		if err != nil {
			return nil, fmt.Errorf("%q is no regular expression: %w", t, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// query is the query to read, from either key.
func (c *config) query() string {
	if c.Masked != "" {
		return c.Masked.Reveal()
	}
	return c.Query
}

// database is what the keys say of the database, with sentences about parts of the address that have no effect. Neither they nor the
// errors show the address.
func (c *config) database() (dialect.Database, []string, error) {
	loc, err := zone(c.Zone)
	if err != nil {
		return nil, nil, err
	}
	mapping := dialect.NumericNone
	switch {
	case c.Numeric != nil:
		mapping, err = numeric(*c.Numeric)
	case c.NumericOld:
		mapping = dialect.NumericPrecisionOnly
	}
	if err != nil {
		return nil, nil, err
	}
	g, err := granularity(c.Granularity)
	if err != nil {
		return nil, nil, err
	}
	calendar := dialect.Hybrid
	if strings.EqualFold(c.Calendar, "PROLEPTIC_GREGORIAN") {
		calendar = dialect.Proleptic
	}
	never := c.Quote == "never"
	if c.QuoteAiven != nil {
		never = !*c.QuoteAiven
	}
	return dialect.Open(dialect.Options{
		URL: c.URL, User: c.User, Password: c.Password.Reveal(), Dialect: c.Dialect, Isolation: c.Isolation, QuoteNever: never,
		Settings: dialect.Settings{Numeric: mapping, Granularity: g, Calendar: calendar, Location: loc},
	})
}

// conflicts are rules between keys.
func (c *config) conflicts() (issues []connect.ConfigIssue) {
	bad := func(key, value, why string) { issues = append(issues, connect.BadValue(key, value, why)) }
	mode, err := plan.ParseMode(c.Mode)
	if err != nil {
		bad("mode", c.Mode, err.Error())
		return issues
	}
	if mode.HasTime() && len(c.Times)+len(c.TimesBy) == 0 {
		bad("timestamp.column.name", "", "the mode "+c.Mode+" needs at least one timestamp column")
	}
	if len(c.Times) > 0 && len(c.TimesBy) > 0 {
		bad("timestamp.columns.mapping", strings.Join(c.TimesBy, ","), "timestamp.column.name is set too; use one of them")
	}
	if c.Inc != "" && len(c.IncBy) > 0 {
		bad("incrementing.column.mapping", strings.Join(c.IncBy, ","), "incrementing.column.name is set too; use one of them")
	}
	if c.Query != "" && c.Masked != "" {
		issues = append(issues, connect.HiddenValue("query.masked", "query is set too; use one of them"))
	}
	if c.query() != "" {
		if len(c.Whitelist)+len(c.Blacklist)+len(c.Include)+len(c.Exclude) > 0 {
			issues = append(issues, connect.HiddenValue("query", "tables are listed too; use one of them"))
		}
		if mode.HasInc() && c.Inc == "" {
			bad("incrementing.column.name", "", "a query has no primary key; name the column")
		}
		if mode.HasTime() && len(c.Times) == 0 {
			bad("timestamp.column.name", "", "mappings are for tables; name the column of the query")
		}
		if c.Split > 1 {
			bad("table.split", fmt.Sprint(c.Split), "a query is not divided")
		}
	}
	if c.Split > 1 && mode.HasTime() {
		bad("table.split", fmt.Sprint(c.Split), "only the modes incrementing and bulk divide a table")
	}
	if len(c.Whitelist) > 0 && len(c.Blacklist) > 0 {
		bad("table.blacklist", strings.Join(c.Blacklist, ","), "table.whitelist is set too; use one of them")
	}
	return issues
}
