package dialect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func open(t *testing.T, url string, more func(*Options)) (Database, []string) {
	t.Helper()
	o := Options{URL: url, User: "u", Password: "p", Settings: Settings{Location: time.UTC}}
	if more != nil {
		more(&o)
	}
	db, warnings, err := Open(o)
	require.NoError(t, err)
	return db, warnings
}

func TestAddressesOfPostgreSQL(t *testing.T) {
	for url, want := range map[string]struct {
		hosts    []string
		database string
		params   map[string]string
		warns    string
	}{
		"jdbc:postgresql://db:5433/shop":                      {hosts: []string{"db:5433"}, database: "shop"},
		"jdbc:postgresql:shop":                                {hosts: []string{"localhost:5432"}, database: "shop"},
		"jdbc:postgresql://a,b:6000/shop?sslmode=disable":     {hosts: []string{"a:5432", "b:6000"}, database: "shop"},
		"jdbc:postgresql://db/shop?currentSchema=s":           {hosts: []string{"db:5432"}, database: "shop", params: map[string]string{"search_path": "s"}},
		"jdbc:postgresql://db/shop?ApplicationName=x":         {hosts: []string{"db:5432"}, database: "shop", params: map[string]string{"application_name": "x"}},
		"jdbc:postgresql://db/shop?options=-c%20work_mem=1MB": {hosts: []string{"db:5432"}, database: "shop", params: map[string]string{"options": "-c work_mem=1MB"}},
		"jdbc:postgresql://db/shop?prepareThreshold=0":        {hosts: []string{"db:5432"}, database: "shop", warns: "the parameter prepareThreshold of the address has no effect: it concerns the inner workings of the Java driver"},
		"jdbc:postgresql://db/shop?fooBar=1":                  {hosts: []string{"db:5432"}, database: "shop", warns: "the parameter fooBar of the address is not known to this connector and has no effect"},
		"jdbc:postgresql://db/shop?password=x":                {hosts: []string{"db:5432"}, database: "shop", warns: `the address holds a password, which everybody sees who may read the configuration; move it to the key "connection.password"`},
		"postgres://db/shop?lock_timeout=5s":                  {hosts: []string{"db:5432"}, database: "shop", params: map[string]string{"lock_timeout": "5s"}},
		"host=db port=5433 dbname=shop":                       {hosts: []string{"db:5433"}, database: "shop"},
	} {
		t.Run(url, func(t *testing.T) {
			db, warnings := open(t, url, nil)
			cfg := db.(*postgres).config
			hosts := []string{}
			seen := map[string]bool{}
			add := func(host string, port uint16) {
				if key := hostPort(host, port); !seen[key] { // with and without TLS
					seen[key] = true
					hosts = append(hosts, key)
				}
			}
			add(cfg.Host, cfg.Port)
			for _, f := range cfg.Fallbacks {
				add(f.Host, f.Port)
			}
			require.Equal(t, want.hosts, hosts)
			require.Equal(t, want.database, cfg.Database)
			require.Equal(t, "u", cfg.User)
			require.Equal(t, "p", cfg.Password, "the key goes before the address")
			require.Equal(t, "iso_8601", cfg.RuntimeParams["IntervalStyle"])
			for k, v := range want.params {
				require.Equal(t, v, cfg.RuntimeParams[k])
			}
			require.Equal(t, texts(want.warns), warnings)
		})
	}
}

func TestTLSOfPostgreSQLIsNotWeakened(t *testing.T) {
	for parameter, verifies := range map[string]bool{
		"sslmode=disable": false, "ssl=false": false, "ssl=true": true, "ssl": true, "ssl=true&sslmode=require": false, "sslmode=verify-full": true,
		"ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory": false,
	} {
		db, _ := open(t, "jdbc:postgresql://db/shop?"+parameter, nil)
		c := db.(*postgres).config.TLSConfig
		require.Equal(t, verifies, c != nil && !c.InsecureSkipVerify, parameter)
	}
}

func hostPort(host string, port uint16) string {
	return host + ":" + map[uint16]string{5432: "5432", 5433: "5433", 6000: "6000"}[port]
}

func texts(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func TestAddressesOfMySQL(t *testing.T) {
	for url, want := range map[string]struct {
		hosts  []string
		name   string
		tls    string
		params map[string]string
		warns  string
	}{
		"jdbc:mysql://db/shop":                                        {hosts: []string{"db:3306"}, name: "shop"},
		"jdbc:mysql://db:3307":                                        {hosts: []string{"db:3307"}},
		"jdbc:mariadb://a,b:3307/shop":                                {hosts: []string{"a:3306", "b:3307"}, name: "shop"},
		"jdbc:mysql://db/shop?sslMode=VERIFY_IDENTITY":                {hosts: []string{"db:3306"}, name: "shop", tls: "true"},
		"jdbc:mysql://db/shop?useSSL=true":                            {hosts: []string{"db:3306"}, name: "shop", tls: "skip-verify"},
		"jdbc:mysql://db/shop?verifyServerCertificate=true":           {hosts: []string{"db:3306"}, name: "shop", tls: "true"},
		"jdbc:mysql://db/shop?sessionVariables=a=1,b='x,y'":           {hosts: []string{"db:3306"}, name: "shop", params: map[string]string{"a": "1", "b": "'x,y'"}},
		"jdbc:mysql://db/shop?serverTimezone=UTC":                     {hosts: []string{"db:3306"}, name: "shop", warns: `the parameter serverTimezone of the address has no effect: set the key "db.timezone"`},
		"jdbc:mysql://db/shop?fooBar=1":                               {hosts: []string{"db:3306"}, name: "shop", warns: "the parameter fooBar of the address is not known to this connector and has no effect"},
		"u@tcp(db:3307)/shop?sql_mode=''":                             {hosts: []string{"db:3307"}, name: "shop", params: map[string]string{"sql_mode": "''"}},
		"u@tcp(db)/shop?parseTime=true":                               {hosts: []string{"db:3306"}, name: "shop", warns: `the parameters parseTime, loc, time_zone, interpolateParams and multiStatements of the address have no effect; for times set the key "db.timezone"`},
		"jdbc:mariadb://db/shop?zeroDateTimeBehavior=ROUND":           {hosts: []string{"db:3306"}, name: "shop"},
		"jdbc:mysql://db/shop?connectTimeout=1000&socketTimeout=2000": {hosts: []string{"db:3306"}, name: "shop"},
	} {
		t.Run(url, func(t *testing.T) {
			db, warnings := open(t, url, nil)
			m := db.(*mySQL)
			var hosts []string
			for _, cfg := range m.hosts {
				hosts = append(hosts, cfg.Addr)
				require.Equal(t, "p", cfg.Passwd)
				require.Equal(t, want.name, cfg.DBName)
				require.Equal(t, want.tls, cfg.TLSConfig)
				require.Equal(t, "'+00:00'", cfg.Params["time_zone"])
				for k, v := range want.params {
					require.Equal(t, v, cfg.Params[k])
				}
			}
			require.Equal(t, want.hosts, hosts)
			require.Equal(t, texts(want.warns), warnings)
		})
	}
	db, _ := open(t, "jdbc:mysql://db/shop?connectTimeout=1500&socketTimeout=2500", nil)
	cfg := db.(*mySQL).hosts[0]
	require.Equal(t, []time.Duration{1500 * time.Millisecond, 2500 * time.Millisecond}, []time.Duration{cfg.Timeout, cfg.ReadTimeout})
}

func TestAddressesOfSQLite(t *testing.T) {
	for url, want := range map[string][2]string{
		"jdbc:sqlite:/data/a 100%#1.db":           {"file:/data/a 100%25%231.db?_pragma=busy_timeout%285000%29&_pragma=query_only%281%29&mode=rw"},
		"jdbc:sqlite:/a.db?busy_timeout=7":        {"file:/a.db?_pragma=busy_timeout%285000%29&_pragma=query_only%281%29&_pragma=busy_timeout%287%29&mode=rw"},
		"file:/a.db?mode=ro&_pragma=mmap_size(9)": {"file:/a.db?_pragma=busy_timeout%285000%29&_pragma=query_only%281%29&_pragma=mmap_size%289%29&mode=ro"},
		"/a.sqlite3":                         {"file:/a.sqlite3?_pragma=busy_timeout%285000%29&_pragma=query_only%281%29&mode=rw"},
		"jdbc:sqlite:/a.db?journal_mode=WAL": {"file:/a.db?_pragma=busy_timeout%285000%29&_pragma=query_only%281%29&mode=rw", "the parameter journal_mode of the address has no effect: nothing is written"},
	} {
		db, warnings := open(t, url, nil)
		require.Equal(t, want[0], db.(*sqliteDB).dsn, url)
		require.Equal(t, texts(want[1]), warnings, url)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for url, want := range map[string]string{
		"jdbc:oracle:thin:@db":                                  "jdbc:oracle is not one of the databases",
		"nonsense":                                              "the address does not tell which database it is",
		"jdbc:mysql://db/x?sslMode=MAYBE":                       "sslMode of the address is not one of",
		"jdbc:mysql://db/x?connectTimeout=soon":                 "connectTimeout of the address is no number",
		"jdbc:mysql://db/x?zeroDateTimeBehavior=x":              "zeroDateTimeBehavior of the address is not one of",
		"jdbc:mysql://db/x?trustCertificateKeyStoreUrl=file:/x": "trustCertificateKeyStoreUrl of the address is not supported, and without it the connection might be less safe",
		"jdbc:postgresql://db/x?gssEncMode=require":             "gssEncMode of the address is not supported",
		"jdbc:postgresql://db/x?sslfactory=com.example.Factory": "names a Java class",
		"jdbc:postgresql://db/x?targetServerType=best":          "targetServerType of the address is not one of",
		"jdbc:postgresql://db/x?a=%zz":                          "the parameters behind ? in the address are not valid",
		"jdbc:postgresql://[db/x":                               "no valid PostgreSQL address",
		"jdbc:sqlite:":                                          "name the file",
		"jdbc:sqlite::memory:":                                  "name the file",
	} {
		_, _, err := Open(Options{URL: url, Settings: Settings{Location: time.UTC}})
		require.ErrorContains(t, err, want, url)
	}
	_, _, err := Open(Options{URL: "jdbc:mysql://db", Dialect: "OracleDatabaseDialect"})
	require.ErrorContains(t, err, "OracleDatabaseDialect")
}

func TestTheDialectsNameDecidesWhereItIsGiven(t *testing.T) {
	for name, want := range map[string]string{
		"PostgreSqlDatabaseDialect": "postgresql", "MySqlDatabaseDialect": "mysql", "SqliteDatabaseDialect": "sqlite", "MariaDB": "mysql", "postgresql": "postgresql",
	} {
		url := map[string]string{"postgresql": "user=x host=db", "mysql": "u@tcp(db)/x", "sqlite": "/data/file"}[want]
		db, _ := open(t, url, func(o *Options) { o.Dialect = name })
		require.Equal(t, want, db.Name())
	}
}

func TestNamesAreQuotedUnlessTheKeySaysNever(t *testing.T) {
	for url, want := range map[string]string{"jdbc:postgresql://db/x": `"a""b"`, "jdbc:mysql://db/x": "`a\"b`", "jdbc:sqlite:/x.db": `"a""b"`} {
		db, _ := open(t, url, nil)
		require.Equal(t, want, db.Quote(`a"b`))
		db, _ = open(t, url, func(o *Options) { o.QuoteNever = true })
		require.Equal(t, `a"b`, db.Quote(`a"b`))
	}
}
