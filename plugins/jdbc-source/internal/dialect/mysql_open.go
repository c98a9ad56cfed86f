package dialect

import (
	"errors"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlTLS are the values of sslMode, of MySQL's and of MariaDB's driver.
var mysqlTLS = map[string]string{
	"required": "skip-verify", "verify_ca": "true", "verify_identity": "true", "preferred": "preferred", "disabled": "false", "disable": "false",
	"trust": "skip-verify", "verify-ca": "true", "verify-full": "true", "": "",
}

func openMySQL(o Options, address string, p *parameters) (Database, error) {
	db := &mySQL{zeroDate: "exception", settings: o.Settings, never: o.QuoteNever}
	var err error
	if db.isolation, err = isolation(o.Isolation); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(address, "mysql://") && !strings.HasPrefix(address, "mariadb://") {
		cfg, err := mysql.ParseDSN(address)
		if err != nil {
			return nil, errors.New("the address is no valid MySQL address; the form is jdbc:mysql://host:3306/database or user@tcp(host:3306)/database")
		}
		p.credentials(&o, cfg.User, cfg.Passwd)
		if cfg.ParseTime || cfg.InterpolateParams || cfg.MultiStatements || cfg.Loc != time.UTC || cfg.Params["time_zone"] != "" {
			p.warn("the parameters parseTime, loc, time_zone, interpolateParams and multiStatements of the address have no effect; for times set the key \"db.timezone\"")
		}
		db.add(cfg, o)
		return db, nil
	}
	_, tail, _ := strings.Cut(address, "://")
	base, query, _ := strings.Cut(tail, "?")
	if err := p.parse(query); err != nil {
		return nil, err
	}
	hosts, name, _ := strings.Cut(base, "/")
	user, password := "", ""
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		user, password, _ = strings.Cut(hosts[:at], ":")
		hosts = hosts[at+1:]
	}
	p.credentials(&o, user, password)
	if z := p.take("zeroDateTimeBehavior"); z != "" {
		db.zeroDate = map[string]string{"exception": "exception", "converttonull": "convert_to_null", "round": "round"}[strings.ToLower(strings.ReplaceAll(z, "_", ""))]
		if db.zeroDate == "" {
			return nil, errors.New("the parameter zeroDateTimeBehavior of the address is not one of EXCEPTION, CONVERT_TO_NULL, ROUND")
		}
	}
	mode, err := mysqlTLSOf(p)
	if err != nil {
		return nil, err
	}
	connect, err := p.duration("connectTimeout", time.Millisecond)
	if err != nil {
		return nil, err
	}
	socket, err := p.duration("socketTimeout", time.Millisecond)
	if err != nil {
		return nil, err
	}
	session := sessionVariables(p.take("sessionVariables"))
	p.ignore(javaOnly, "allowPublicKeyRetrieval", "useCursorFetch", "defaultFetchSize", "rewriteBatchedStatements", "useLegacyDatetimeCode", "cachePrepStmts",
		"prepStmtCacheSize", "prepStmtCacheSqlLimit", "useServerPrepStmts", "autoReconnect", "maxReconnects", "failOverReadOnly", "nullCatalogMeansCurrent",
		"databaseTerm", "allowMultiQueries", "useInformationSchema", "useOldAliasMetadataBehavior", "maintainTimeStats", "elideSetAutoCommits", "useLocalSessionState")
	p.ignore("connections are kept alive", "tcpKeepAlive")
	p.ignore("texts are read as UTF-8", "useUnicode", "characterEncoding", "characterSetResults", "connectionCollation")
	p.ignore("set the key \"db.timezone\"", "serverTimezone", "connectionTimeZone", "timezone", "forceConnectionTimeZoneToSession", "preserveInstants")
	p.ignore("the README lists the types", "tinyInt1isBit", "yearIsDateType", "transformedBitIsBoolean")
	for host := range strings.SplitSeq(hosts, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "3306")
		}
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.DBName, cfg.TLSConfig, cfg.Params = "tcp", host, name, mode, maps.Clone(session)
		cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = connect, socket, socket
		db.add(cfg, o)
	}
	return db, nil
}

func mysqlTLSOf(p *parameters) (string, error) {
	mode, ok := mysqlTLS[strings.ToLower(p.take("sslMode"))]
	if !ok {
		return "", errors.New("the parameter sslMode of the address is not one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
	}
	use, verify, require := p.take("useSSL"), p.take("verifyServerCertificate"), p.take("requireSSL")
	switch {
	case mode != "":
	case verify == "true" && use != "false":
		mode = "true"
	case use == "true" || require == "true":
		mode = "skip-verify"
	}
	return mode, nil
}

// sessionVariables reads name=value pairs with commas or semicolons between, outside of quotes.
func sessionVariables(text string) map[string]string {
	out := map[string]string{}
	var quote rune
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		}
		return quote == 0 && (r == ',' || r == ';')
	}) {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			out[name] = value
		}
	}
	return out
}

// add finishes the configuration of one host.
func (m *mySQL) add(cfg *mysql.Config, o Options) {
	if o.User != "" {
		cfg.User = o.User
	}
	if o.Password != "" {
		cfg.Passwd = o.Password
	}
	cfg.ParseTime, cfg.InterpolateParams, cfg.MultiStatements = false, false, false
	if cfg.Timeout == 0 {
		cfg.Timeout = connectTimeout
	}
	cfg.DialFunc = dial(cfg.Timeout)
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Logger = &mysql.NopLogger{}
	m.hosts = append(m.hosts, cfg)
}
