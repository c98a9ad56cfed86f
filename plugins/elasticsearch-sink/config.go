package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/index"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/rest"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// config has the keys of Confluent's connector with their defaults, and a few more.
type config struct {
	URLs     []string         `config:"connection.url" required:"true" nonempty:"true" importance:"high" group:"Connection" doc:"Addresses of the cluster's nodes, comma separated: https://es1:9200,https://es2:9200. A dead node is left out until it is back."`
	Username string           `config:"connection.username" importance:"medium" group:"Connection" doc:"User of basic authentication."`
	Password connect.Password `config:"connection.password" importance:"medium" group:"Connection" doc:"Password of basic authentication."`
	APIKey   connect.Password `config:"connection.api.key" importance:"medium" group:"Connection" doc:"API key in its encoded form, instead of user and password."`
	Gzip     bool             `config:"connection.compression" default:"false" importance:"low" group:"Connection" doc:"Send requests compressed with gzip."`
	Connect  time.Duration    `config:"connection.timeout.ms" default:"1000" min:"1" importance:"low" group:"Connection" doc:"Milliseconds to wait for a connection."`
	Read     time.Duration    `config:"read.timeout.ms" default:"3000" min:"1" importance:"low" group:"Connection" doc:"Milliseconds to wait for the answer to one request. What is not answered is sent again."`
	Idle     time.Duration    `config:"max.connection.idle.time.ms" default:"60000" min:"0" importance:"low" group:"Connection" doc:"Milliseconds after which an unused connection is closed; 0 never."`

	ProxyHost     string           `config:"proxy.host" default:"" importance:"low" group:"Proxy" doc:"Host of an HTTP proxy."`
	ProxyPort     int32            `config:"proxy.port" default:"8080" min:"1" max:"65535" importance:"low" group:"Proxy" doc:"Port of the proxy."`
	ProxyUsername string           `config:"proxy.username" default:"" importance:"low" group:"Proxy" doc:"User at the proxy."`
	ProxyPassword connect.Password `config:"proxy.password" importance:"low" group:"Proxy" doc:"Password at the proxy."`

	Security   string           `config:"elastic.security.protocol" default:"PLAINTEXT" valid:"PLAINTEXT,SSL" importance:"medium" group:"Security" doc:"SSL uses the elastic.https.ssl keys below. An https address is enough where the system trusts the server's certificate."`
	CAFile     string           `config:"elastic.https.ssl.truststore.location" default:"" importance:"low" group:"Security" doc:"PEM file with the certificates to trust, instead of the system's."`
	CAType     string           `config:"elastic.https.ssl.truststore.type" default:"PEM" importance:"low" group:"Security" doc:"PEM is the only type."`
	CertFile   string           `config:"elastic.https.ssl.keystore.location" default:"" importance:"low" group:"Security" doc:"PEM file with this client's private key and certificate."`
	CertType   string           `config:"elastic.https.ssl.keystore.type" default:"PEM" importance:"low" group:"Security" doc:"PEM is the only type."`
	TrustPass  connect.Password `config:"elastic.https.ssl.truststore.password" importance:"low" group:"Security" doc:"Not used: PEM files of certificates have no password."`
	StorePass  connect.Password `config:"elastic.https.ssl.keystore.password" importance:"low" group:"Security" doc:"Not used."`
	KeyPass    connect.Password `config:"elastic.https.ssl.key.password" importance:"low" group:"Security" doc:"Not used: give the private key unencrypted, readable by the worker alone."`
	Protocols  []string         `config:"elastic.https.ssl.enabled.protocols" default:"TLSv1.2,TLSv1.3" valid:"TLSv1.2,TLSv1.3" anycase:"true" nonempty:"true" importance:"low" group:"Security" doc:"Versions of TLS to speak."`
	CheckNames string           `config:"elastic.https.ssl.endpoint.identification.algorithm" default:"https" importance:"low" group:"Security" doc:"https checks that the certificate names the host; empty checks the certificate only."`

	BatchSize   int32         `config:"batch.size" default:"2000" min:"1" max:"1000000" importance:"medium" group:"Requests" doc:"Documents in one request at most."`
	BulkBytes   int64         `config:"bulk.size.bytes" default:"5242880" min:"1" max:"104857600" importance:"low" group:"Requests" doc:"Bytes from which a request is sent, before compression."`
	InFlight    int32         `config:"max.in.flight.requests" default:"5" min:"1" max:"1000" importance:"medium" group:"Requests" doc:"Requests on the way at the same time, for each task. The writes of one document stay in order."`
	MaxBuffered int32         `config:"max.buffered.records" default:"20000" min:"1" importance:"low" group:"Requests" doc:"Records that each task holds at most, those on the way included."`
	Linger      time.Duration `config:"linger.ms" default:"1" min:"0" importance:"low" group:"Requests" doc:"Milliseconds that a request which is not full waits for more records."`
	Flush       time.Duration `config:"flush.timeout.ms" default:"180000" min:"1" importance:"low" group:"Requests" doc:"Milliseconds to wait, before offsets are committed, for the server to confirm everything."`
	MaxRetries  int32         `config:"max.retries" default:"5" min:"0" importance:"low" group:"Requests" doc:"Tries after the first of a request that the server could not take (no connection, 429, 503) before the task fails. Counted anew when anything was kept."`
	Backoff     time.Duration `config:"retry.backoff.ms" default:"100" min:"1" importance:"low" group:"Requests" doc:"Milliseconds before the first retry; doubles with each, up to 30 seconds."`

	KeyIgnore    bool     `config:"key.ignore" default:"false" importance:"high" group:"Documents" doc:"Make ids of topic, partition and offset instead of the key: each record is a document of its own."`
	KeyIgnoreTo  []string `config:"topic.key.ignore" default:"" importance:"low" group:"Documents" doc:"Topics for which key.ignore is true."`
	SchemaIgnore bool     `config:"schema.ignore" default:"false" importance:"low" group:"Documents" doc:"Leave the mapping to the server instead of making it from the record's schema. Needed for records without one."`
	SchemaIgnTo  []string `config:"topic.schema.ignore" default:"" importance:"low" group:"Documents" doc:"Topics for which schema.ignore is true."`
	WriteMethod  string   `config:"write.method" default:"INSERT" importance:"low" group:"Documents" doc:"INSERT replaces a document; UPSERT changes the fields that the record has and keeps the others."`
	OnNull       string   `config:"behavior.on.null.values" default:"FAIL" importance:"low" group:"Documents" doc:"What a record with a key and no value does: IGNORE, DELETE the document, or FAIL."`
	OnMalformed  string   `config:"behavior.on.malformed.documents" default:"FAIL" importance:"low" group:"Documents" doc:"What happens when the server refuses a document for its content: IGNORE, WARN (a line in the log), or FAIL the task. With IGNORE and WARN it goes to the dead letters, where there are any."`
	DropInvalid  bool     `config:"drop.invalid.message" default:"false" importance:"low" group:"Documents" doc:"Leave out records that cannot be made into documents. They go to the dead letters, where there are any."`
	CompactMaps  bool     `config:"compact.map.entries" default:"true" importance:"low" group:"Documents" doc:"Write maps with string keys as objects; otherwise as arrays of {\"key\":…,\"value\":…}."`
	Routing      bool     `config:"routing.enabled" default:"false" importance:"low" group:"Documents" doc:"Send a routing value with each document: the key, or the field of routing.field.path."`
	RoutingField string   `config:"routing.field.path" default:"" importance:"low" group:"Documents" doc:"Path of the value's field to route by, names joined by dots: customer.id."`
	LogSensitive bool     `config:"log.sensitive.data" default:"false" importance:"low" group:"Documents" doc:"Write the server's reasons, which may quote documents, to the log too. The dead letters always have them."`

	IndexFormat string `config:"index.name.format" default:"${topic}" nonempty:"true" importance:"medium" group:"Index" doc:"Name of the index: text with ${topic} and ${timestamp}, the record's time in UTC as index.name.timestamp.format writes it."`
	IndexDate   string `config:"index.name.timestamp.format" default:"yyyy.MM.dd" nonempty:"true" importance:"low" group:"Index" doc:"Pattern of ${timestamp}: yyyy, yy, MM, dd, HH, mm with '-', '.' and '_' between."`
	StreamType  string `config:"data.stream.type" default:"NONE" importance:"low" group:"Data stream" doc:"NONE writes to an index; LOGS, METRICS or CUSTOM to the data stream type-dataset-namespace."`
	StreamSet   string `config:"data.stream.dataset" default:"" importance:"low" group:"Data stream" doc:"The dataset; needed with a data stream."`
	StreamSpace string `config:"data.stream.namespace" default:"${topic}" importance:"low" group:"Data stream" doc:"The namespace; ${topic} in it is the topic."`
	StreamName  string `config:"data.stream.type.custom" default:"" importance:"low" group:"Data stream" doc:"The type with data.stream.type=CUSTOM."`
	StreamTime  string `config:"data.stream.timestamp.field" default:"" importance:"low" group:"Data stream" doc:"Not supported: map the field to @timestamp with a ReplaceField transform. Without one a document gets the record's time."`

	PlainStream  bool   `config:"data.stream.enabled" default:"false" importance:"low" group:"Data stream" doc:"Write to the data stream data.stream.prefix-topic, as Aiven's OpenSearch connector does."`
	StreamPrefix string `config:"data.stream.prefix" default:"" importance:"low" group:"Data stream" doc:"First part of the data stream's name with data.stream.enabled; without it the name is the topic."`

	// Secrets under Aiven's names: defined, so that they are never shown.
	OtherTrustPass connect.Password `config:"connection.ssl.truststore.password" internal:"true" doc:"Not used: PEM files of certificates have no password."`
	OtherStorePass connect.Password `config:"connection.ssl.keystore.password" internal:"true" doc:"Not used."`
	OtherKeyPass   connect.Password `config:"connection.ssl.key.password" internal:"true" doc:"Not used: give the private key unencrypted, readable by the worker alone."`
}

func definition() *connect.ConfigDef {
	keys := connect.DefineStruct(config{}).Keys()
	choices := map[string][]string{
		"write.method":                    {"INSERT", "UPSERT"},
		"behavior.on.null.values":         {"IGNORE", "DELETE", "FAIL"},
		"behavior.on.malformed.documents": {"IGNORE", "WARN", "FAIL"},
		"data.stream.type":                {"NONE", "LOGS", "METRICS", "CUSTOM"},
	}
	for i := range keys {
		if values, ok := choices[keys[i].Name]; ok {
			keys[i].Recommend = func(connect.Config) ([]string, bool) { return values, true }
			keys[i].Check = func(v string) error { // any case, as Confluent's
				if slices.Contains(values, strings.ToUpper(strings.TrimSpace(v))) {
					return nil
				}
				return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
			}
		}
	}
	return connect.NewConfigDef(append(keys, foreign()...)...)
}

// parse reads and checks a configuration.
func parse(raw connect.Config) (config, error) {
	var c config
	raw, issues := translated(raw)
	if err := connect.BindWith(definition(), raw, &c); err != nil {
		return c, err
	}
	for _, choice := range []*string{&c.WriteMethod, &c.OnNull, &c.OnMalformed, &c.StreamType} {
		*choice = strings.ToUpper(strings.TrimSpace(*choice))
	}
	if issues = append(issues, c.conflicts(raw)...); len(issues) > 0 {
		return c, &connect.ConfigError{Issues: issues}
	}
	return c, nil
}

func (c config) stream() bool { return c.StreamType != "NONE" || c.PlainStream }

// conflicts are rules between keys, and values that only their use can judge.
func (c config) conflicts(raw connect.Config) []connect.ConfigIssue {
	var issues []connect.ConfigIssue
	bad := func(key, value, why string) { issues = append(issues, connect.BadValue(key, value, why)) }
	if _, err := c.urls(); err != nil {
		bad("connection.url", "[hidden]", err.Error())
	}
	if (c.Username == "") != (c.Password == "") {
		bad("connection.username", c.Username, "connection.username and connection.password must be set together")
	}
	if c.APIKey != "" && c.Username != "" {
		bad("connection.username", c.Username, "use either connection.username and connection.password or connection.api.key")
	}
	for _, store := range []struct{ key, kind, file string }{
		{"elastic.https.ssl.truststore.type", c.CAType, c.CAFile}, {"elastic.https.ssl.keystore.type", c.CertType, c.CertFile},
	} {
		if store.file != "" && !strings.EqualFold(store.kind, "PEM") {
			bad(store.key, store.kind, "PEM is the only type; export the store with: keytool -importkeystore … -deststoretype PKCS12, then openssl pkcs12 -nodes")
		}
	}
	if _, err := index.NewFormat(c.IndexFormat, c.IndexDate); err != nil {
		bad("index.name.format", c.IndexFormat, err.Error())
	}
	if c.RoutingField != "" && !c.Routing {
		bad("routing.field.path", c.RoutingField, "it has no effect without routing.enabled=true")
	}
	if c.OnNull == "DELETE" && (c.KeyIgnore || c.stream()) {
		bad("behavior.on.null.values", c.OnNull, "documents can only be deleted by their key: neither with key.ignore=true nor in a data stream")
	}
	if c.WriteMethod == "UPSERT" && (c.KeyIgnore || c.stream()) {
		bad("write.method", c.WriteMethod, "documents can only be changed by their key: neither with key.ignore=true nor in a data stream")
	}
	if c.StreamType != "NONE" && c.PlainStream {
		bad("data.stream.enabled", "true", "use either data.stream.type or data.stream.enabled")
	}
	if c.StreamType != "NONE" && c.StreamSet == "" {
		bad("data.stream.dataset", c.StreamSet, "a data stream needs a dataset")
	}
	if c.StreamType == "CUSTOM" && c.StreamName == "" {
		bad("data.stream.type.custom", c.StreamName, "data.stream.type=CUSTOM needs the name of the type")
	}
	if c.StreamTime != "" {
		bad("data.stream.timestamp.field", c.StreamTime, "not supported: rename the field to @timestamp with a ReplaceField transform")
	}
	return issues
}

func (c config) urls() ([]*url.URL, error) {
	var out []*url.URL
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("each address must look like http://host:9200 or https://host:9200")
		}
		if u.User != nil {
			return nil, errors.New("put user and password into connection.username and connection.password, not into the address")
		}
		if c.Security == "SSL" && u.Scheme != "https" {
			return nil, errors.New("elastic.security.protocol=SSL needs https addresses")
		}
		out = append(out, u)
	}
	return out, nil
}

// client is the connection that the keys describe.
func (c config) client() (*rest.Client, error) {
	urls, err := c.urls()
	if err != nil {
		return nil, fmt.Errorf("connection.url: %w", err)
	}
	security, err := c.tls()
	if err != nil {
		return nil, err
	}
	var proxy *url.URL
	if c.ProxyHost != "" {
		proxy = &url.URL{Scheme: "http", Host: net.JoinHostPort(c.ProxyHost, strconv.Itoa(int(c.ProxyPort)))}
		if c.ProxyUsername != "" {
			proxy.User = url.UserPassword(c.ProxyUsername, c.ProxyPassword.Reveal())
		}
	}
	return rest.New(rest.Config{
		URLs: urls, Username: c.Username, Password: c.Password.Reveal(), APIKey: c.APIKey.Reveal(), Gzip: c.Gzip, TLS: security, Proxy: proxy,
		ConnectTimeout: c.Connect, ReadTimeout: c.Read, IdleTimeout: c.Idle, Connections: int(c.InFlight),
		UserAgent: "tailrace-elasticsearch-sink/" + version,
	})
}

func (c config) tls() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	switch { // there are two, and at least one is listed
	case !slices.Contains(c.Protocols, "TLSv1.2"):
		out.MinVersion = tls.VersionTLS13
	case !slices.Contains(c.Protocols, "TLSv1.3"):
		out.MaxVersion = tls.VersionTLS12
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("elastic.https.ssl.truststore.location: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("elastic.https.ssl.truststore.location: %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.CertFile)
		if err != nil {
			return nil, fmt.Errorf("elastic.https.ssl.keystore.location: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	if c.CheckNames == "" {
		roots := out.RootCAs
		out.InsecureSkipVerify = true // the chain is checked below, only the name is not
		out.VerifyConnection = func(s tls.ConnectionState) error {
			chain := x509.NewCertPool()
			for _, cert := range s.PeerCertificates[1:] {
				chain.AddCert(cert)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: chain})
			return err
		}
	}
	return out, nil
}
