package registry

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/tlsconfig"
)

// Config is how a converter uses its registry.
type Config struct {
	// AutoRegister (auto.register.schemas) registers the schemas of values.
	AutoRegister bool
	// UseLatest (use.latest.version) writes with the newest schema of the subject.
	UseLatest bool
	// LatestStrict (latest.compatibility.strict) wants that schema compatible.
	LatestStrict bool
	// Normalize (normalize.schemas) lets the registry bring schemas into one form.
	Normalize bool
	// UseID (use.schema.id) writes with the schema of that id; negative: not.
	UseID int
	// IDStrict (id.compatibility.strict) wants that schema compatible.
	IDStrict bool
	// IsKey tells keys from values, for subjects.
	IsKey bool

	subjects strategy
	urls     []string
	user     string
	password string
	basic    bool
	bearer   string
	headers  http.Header
	tls      *tls.Config
	proxy    *url.URL

	cacheSize     int
	latestTTL     time.Duration // 0: an answer about "latest" is kept until it is pushed out
	maxRetries    int
	retryWait     time.Duration
	maxRetryWait  time.Duration
	timeout       time.Duration // of one request
	totalDeadline time.Duration // of one call with all its retries
}

// ParseConfig reads the registry's keys from the properties of a converter.
// Keys of others are left alone.
func ParseConfig(props map[string]string, isKey bool) (*Config, error) {
	c := &Config{
		AutoRegister: true, LatestStrict: true, IDStrict: true, UseID: -1, IsKey: isKey, headers: http.Header{},
		cacheSize: 1000, maxRetries: 3, retryWait: time.Second, maxRetryWait: 20 * time.Second, timeout: 30 * time.Second,
	}
	p := Props(props)
	for key, flag := range map[string]*bool{
		"auto.register.schemas": &c.AutoRegister, "use.latest.version": &c.UseLatest,
		"latest.compatibility.strict": &c.LatestStrict, "id.compatibility.strict": &c.IDStrict, "normalize.schemas": &c.Normalize,
	} {
		if err := p.Bool(key, flag); err != nil {
			return nil, err
		}
	}
	millis := map[string]*time.Duration{
		"retries.wait.ms": &c.retryWait, "retries.max.wait.ms": &c.maxRetryWait, "http.read.timeout.ms": &c.timeout,
	}
	for key, d := range millis {
		n := int(d.Milliseconds())
		if err := p.Int(key, &n, 0); err != nil {
			return nil, err
		}
		*d = time.Duration(n) * time.Millisecond
	}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second // everything that waits has a deadline
	}
	ttl := -1
	for key, n := range map[string]*int{
		"max.schemas.per.subject": &c.cacheSize, "max.retries": &c.maxRetries, "latest.cache.ttl.sec": &ttl, "use.schema.id": &c.UseID,
	} {
		if err := p.Int(key, n, -1); err != nil {
			return nil, err
		}
	}
	c.cacheSize, c.maxRetries = max(c.cacheSize, 1), max(c.maxRetries, 0)
	c.latestTTL = time.Duration(max(ttl, 0)) * time.Second
	c.totalDeadline = time.Duration(c.maxRetries+1)*c.timeout + time.Duration(c.maxRetries)*c.maxRetryWait
	var err error
	if c.subjects, err = parseStrategy(props, isKey); err != nil {
		return nil, err
	}
	for name, value := range props {
		if header, ok := strings.CutPrefix(name, "request.header."); ok {
			c.headers.Set(header, value)
		}
	}
	if err := c.parseURLs(props); err != nil {
		return nil, err
	}
	if err := c.parseCredentials(props); err != nil {
		return nil, err
	}
	return c, c.parseTransport(props)
}

// parseURLs reads the list and takes the user information out of it (I-9).
func (c *Config) parseURLs(props map[string]string) error {
	text := strings.TrimSpace(props["schema.registry.url"])
	if text == "" {
		return javaerr.Config("Missing required configuration \"schema.registry.url\" which has no default value.")
	}
	for part := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return javaerr.Config("schema.registry.url holds an entry that is not an http or https URL; separate several URLs with commas")
		}
		if u.User != nil {
			c.user = u.User.Username()
			c.password, _ = u.User.Password()
			u.User = nil
		}
		c.urls = append(c.urls, strings.TrimRight(u.String(), "/"))
	}
	return nil
}

// parseCredentials reads basic and bearer authentication.
func (c *Config) parseCredentials(props map[string]string) error {
	switch source := strings.ToUpper(strings.TrimSpace(first(props, "basic.auth.credentials.source", "schema.registry.basic.auth.credentials.source"))); source {
	case "", "URL":
		c.basic = c.user != ""
	case "USER_INFO":
		info := first(props, "basic.auth.user.info", "schema.registry.basic.auth.user.info")
		user, password, ok := strings.Cut(info, ":")
		if !ok {
			return javaerr.Config("basic.auth.user.info must be user:password when basic.auth.credentials.source is USER_INFO")
		}
		c.user, c.password, c.basic = user, password, true
	case "SASL_INHERIT":
		login, err := config.ParseJAAS(first(props, "sasl.jaas.config", "schema.registry.sasl.jaas.config"))
		if err != nil {
			return javaerr.Config("sasl.jaas.config, which basic.auth.credentials.source=SASL_INHERIT takes user and password from: %s", err)
		}
		c.user, c.password, c.basic = login.Options["username"], login.Options["password"], true
		if c.user == "" {
			return javaerr.Config("sasl.jaas.config has no username, which basic.auth.credentials.source=SASL_INHERIT needs")
		}
	default:
		return javaerr.Config("basic.auth.credentials.source %s is not supported; use URL, USER_INFO or SASL_INHERIT", source)
	}
	switch source := strings.ToUpper(strings.TrimSpace(first(props, "bearer.auth.credentials.source", "schema.registry.bearer.auth.credentials.source"))); source {
	case "":
	case "STATIC_TOKEN":
		c.bearer = first(props, "bearer.auth.token", "schema.registry.bearer.auth.token")
		if c.bearer == "" {
			return javaerr.Config("bearer.auth.token must be set when bearer.auth.credentials.source is STATIC_TOKEN")
		}
		if c.basic {
			return javaerr.Config("basic and bearer authentication of the schema registry exclude each other")
		}
	default:
		return javaerr.Config("bearer.auth.credentials.source %s is not supported; use STATIC_TOKEN", source)
	}
	return nil
}

// parseTransport reads TLS (stores of type PEM, PKCS12 and JKS) and proxy.
func (c *Config) parseTransport(props map[string]string) error {
	if host := props["proxy.host"]; host != "" {
		port := props["proxy.port"]
		if port == "" {
			return javaerr.Config("proxy.port must be set with proxy.host")
		}
		c.proxy = &url.URL{Scheme: "http", Host: host + ":" + port}
	}
	const prefix = "schema.registry."
	own := map[string]string{}
	for key, value := range props {
		if name, ok := strings.CutPrefix(key, prefix); ok && strings.HasPrefix(name, "ssl.") {
			own[name] = value
		}
	}
	settings, err := tlsconfig.Parse(own)
	if err != nil {
		return javaerr.Config("%s%s", prefix, err)
	}
	identity, err := tlsconfig.Open(settings, "keys and certificates for the schema registry", slog.New(slog.DiscardHandler))
	if err != nil {
		return javaerr.Config("%s%s", prefix, err)
	}
	c.tls = identity.Client()
	return nil
}

func first(props map[string]string, keys ...string) string {
	for _, key := range keys {
		if v := props[key]; v != "" {
			return v
		}
	}
	return ""
}

// Props reads typed values of a converter's properties with Kafka's errors.
type Props map[string]string

// Bool reads a flag; a key that is not set leaves it.
func (p Props) Bool(key string, flag *bool) error {
	text, ok := p[key]
	if !ok {
		return nil
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		*flag = true
	case "false":
		*flag = false
	default:
		return javaerr.InvalidConfig(key, text, "Expected value to be either true or false")
	}
	return nil
}

// Int reads a number of at least low; a key that is not set leaves it.
func (p Props) Int(key string, n *int, low int) error {
	text, ok := p[key]
	if !ok {
		return nil
	}
	v, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return javaerr.InvalidConfig(key, text, "Not a number of type INT")
	}
	if int(v) < low {
		return javaerr.InvalidConfig(key, text, "Value must be at least "+strconv.Itoa(low))
	}
	*n = int(v)
	return nil
}
