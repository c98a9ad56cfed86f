package dialect

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

func openPostgres(o Options, address string, isJDBC bool, p *parameters) (Database, error) {
	kv := address
	if isJDBC {
		var err error
		if kv, err = postgresAddress(&o, address, p); err != nil {
			return nil, err
		}
	}
	cfg, err := pgconn.ParseConfig(kv)
	if err != nil {
		return nil, errors.New("the address is no valid PostgreSQL address; the form is jdbc:postgresql://host:5432/database")
	}
	if !isJDBC && cfg.Password != "" {
		p.credentials(&o, "", cfg.Password)
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

// postgresAddress turns a URL of PostgreSQL's JDBC driver into one that pgx reads.
func postgresAddress(o *Options, address string, p *parameters) (string, error) {
	base, query, _ := strings.Cut(address, "?")
	if err := p.parse(query); err != nil {
		return "", err
	}
	keep := url.Values{}
	set := func(key, value string) {
		if value != "" {
			keep.Set(key, value)
		}
	}
	scheme, tail, _ := strings.Cut(base, ":")
	if !strings.HasPrefix(tail, "//") {
		tail = "//localhost/" + tail // jdbc:postgresql:database
	}
	user, password := "", ""
	if hosts, name, _ := strings.Cut(tail[2:], "/"); strings.Contains(hosts, "@") {
		at := strings.LastIndex(hosts, "@")
		user, password, _ = strings.Cut(hosts[:at], ":")
		tail = "//" + hosts[at+1:] + "/" + name
	}
	p.credentials(o, user, password)
	sslmode := p.take("sslmode")
	switch factory := p.take("sslfactory"); {
	case strings.HasSuffix(factory, "NonValidatingFactory") && sslmode == "":
		sslmode = "require"
	case factory != "" && !strings.HasSuffix(factory, "LibPQFactory") && !strings.HasSuffix(factory, "NonValidatingFactory"):
		return "", errors.New("the parameter sslfactory of the address names a Java class, which cannot be loaded; use sslmode and sslrootcert")
	}
	if ssl, given := p.values["ssl"]; given {
		delete(p.values, "ssl")
		if ssl != "false" && sslmode == "" {
			sslmode = "verify-full"
		}
	}
	set("sslmode", sslmode)
	set("sslrootcert", p.take("sslrootcert"))
	set("sslcert", p.take("sslcert"))
	set("sslkey", p.take("sslkey"))
	set("application_name", p.take("ApplicationName", "application_name"))
	set("search_path", p.take("currentSchema", "search_path"))
	set("connect_timeout", p.take("connectTimeout", "connect_timeout", "loginTimeout"))
	set("statement_timeout", p.take("statement_timeout"))
	set("options", p.take("options"))
	target := p.take("targetServerType", "target_session_attrs")
	switch t, known := map[string]string{
		"": "", "any": "any", "primary": "read-write", "master": "read-write", "secondary": "standby", "slave": "standby",
		"preferSecondary": "prefer-standby", "preferSlave": "prefer-standby",
		"read-write": "read-write", "read-only": "read-only", "standby": "standby", "prefer-standby": "prefer-standby",
	}[target]; {
	case known:
		set("target_session_attrs", t)
	case target == "preferPrimary":
		p.warn("the parameter targetServerType=preferPrimary has no effect; name the primary first")
	default:
		return "", errors.New("the parameter targetServerType of the address is not one of any, primary, secondary, preferSecondary")
	}
	p.ignore(javaOnly, "prepareThreshold", "defaultRowFetchSize", "reWriteBatchedInserts", "stringtype", "binaryTransfer", "preferQueryMode",
		"loggerLevel", "loggerFile", "assumeMinServerVersion", "autosave", "cleanupSavepoints", "databaseMetadataCacheFields",
		"preparedStatementCacheQueries", "preparedStatementCacheSizeMiB", "unknownLength", "disableColumnSanitiser", "adaptiveFetch")
	p.ignore("connections are kept alive, and a query may take as long as it needs", "tcpKeepAlive", "socketTimeout")
	p.ignore("hosts are tried in their order", "loadBalanceHosts", "hostRecheckSeconds")
	return scheme + ":" + tail + "?" + strings.ReplaceAll(keep.Encode(), "+", "%20"), nil // pgx takes a plus for itself
}
