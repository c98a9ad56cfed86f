package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/rest"
)

// brokerAddress starts an embedded broker for one test.
func brokerAddress(t *testing.T) string {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker.Addr()
}

// lines is a log that tests read while the worker writes it.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startWorker runs a standalone worker in this process until the test ends, and returns its URLs, in the order of listeners.
func startWorker(t *testing.T, props map[string]string) (urls []string, log *lines) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	all := map[string]string{
		"bootstrap.servers": brokerAddress(t), "plugin.path": t.TempDir(), "offset.storage.file.filename": filepath.Join(t.TempDir(), "offsets"),
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"listeners": "http://127.0.0.1:0",
	}
	for k, v := range props {
		all[k] = v
	}
	settings, _, err := config.ParseWorker(config.Standalone, all)
	require.NoError(t, err)
	log = &lines{}
	logger, levels := newLogger(cli.Logging{}, log)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan cli.Ready, 1), make(chan error, 1)
	go func() {
		ended <- (&app{version: "1.0"}).run(ctx, plan{settings: settings, logger: logger, levels: levels, ready: func(r cli.Ready) { ready <- r }})
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error("not stopped within 20 s")
		}
	})
	select {
	case r := <-ready:
		return r.URLs, log
	case err := <-ended:
		ended <- nil
		t.Fatalf("ended: %v\n%s", err, log)
	case <-time.After(20 * time.Second):
		t.Fatalf("not ready within 20 s\n%s", log)
	}
	return nil, nil
}

// authority signs certificates and writes them as PEM files.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	// file has the authority's own certificate.
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.cert = a.template("authority")
	a.cert.IsCA, a.cert.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.file = filepath.Join(a.dir, "authority.pem")
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

func (a *authority) template(name string) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(a.t, err)
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Tests"}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

// write makes a key with a certificate and puts both into a file, in one step as tools that rotate do.
func (a *authority) write(file, name string) string {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, a.template(name), a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	path := filepath.Join(a.dir, file)
	require.NoError(a.t, os.WriteFile(path+".new", text, 0o600))
	require.NoError(a.t, os.Rename(path+".new", path))
	return path
}

// client trusts the authority, shows the certificate in file unless that is empty, and opens a connection for each request.
func (a *authority) client(file string) *http.Client {
	a.t.Helper()
	conf := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	conf.RootCAs.AddCert(a.cert)
	if file != "" {
		pair, err := tls.LoadX509KeyPair(file, file)
		require.NoError(a.t, err)
		conf.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}
}

// get returns the status, the body and the name in the server's certificate; 0 and the error when there is no answer.
func get(t *testing.T, client *http.Client, url string) (status int, body, shown string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := client.Do(r)
	if err != nil {
		return 0, err.Error(), ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if answer.TLS != nil {
		shown = answer.TLS.PeerCertificates[0].Subject.CommonName
	}
	return answer.StatusCode, string(text), shown
}

func TestHTTPSListeners(t *testing.T) {
	a := newAuthority(t)
	server := a.write("server.pem", "first")
	urls, log := startWorker(t, map[string]string{
		"listeners":         "http://127.0.0.1:0, https://127.0.0.1:0",
		"ssl.keystore.type": "PEM", "ssl.keystore.location": server, "ssl.truststore.type": "PEM", "ssl.truststore.location": a.file, "ssl.client.auth": "requested",
	})
	require.True(t, strings.HasPrefix(urls[1], "https://"), urls[1])
	status, body, shown := get(t, a.client(""), urls[1]+"/connectors")
	require.Equal(t, 200, status, body)
	require.Equal(t, "first", shown)
	status, body, _ = get(t, a.client(""), urls[0]+"/connectors")
	require.Equal(t, 200, status, body)

	t.Run("a rotated certificate is shown to new connections without a restart", func(t *testing.T) {
		a.write("server.pem", "second")
		require.Eventually(t, func() bool { _, _, shown := get(t, a.client(""), urls[1]+"/"); return shown == "second" }, 20*time.Second, 50*time.Millisecond)
	})
	t.Run("a bad file keeps the certificate and is logged", func(t *testing.T) {
		require.NoError(t, os.WriteFile(server, []byte("rubbish"), 0o600))
		require.Eventually(t, func() bool {
			status, body, shown := get(t, a.client(""), urls[1]+"/")
			require.Equal(t, 200, status, body)
			require.Equal(t, "second", shown)
			return strings.Contains(log.String(), "the old ones stay in use")
		}, 20*time.Second, 50*time.Millisecond)
		require.Contains(t, log.String(), server)
	})
}

func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	urls, _ := startWorker(t, map[string]string{
		"listeners":                             "https://127.0.0.1:0",
		"listeners.https.ssl.keystore.type":     "PEM",
		"listeners.https.ssl.keystore.location": a.write("server.pem", "server"),
		"listeners.https.ssl.truststore.type":   "PEM", "listeners.https.ssl.truststore.location": a.file, "listeners.https.ssl.client.auth": "required",
		"ssl.client.auth": "none", // replaced as a whole by those with the prefix
	})
	status, body, _ := get(t, a.client(a.write("client.pem", "alice")), urls[0]+"/connectors")
	require.Equal(t, 200, status, body)
	status, body, _ = get(t, a.client(""), urls[0]+"/connectors")
	require.Zero(t, status, body)
	stranger := newAuthority(t)
	client := a.client("")
	pair, err := tls.LoadX509KeyPair(stranger.write("client.pem", "alice"), filepath.Join(stranger.dir, "client.pem"))
	require.NoError(t, err)
	client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	status, body, _ = get(t, client, urls[0]+"/connectors")
	require.Zero(t, status, body)
	status, body, _ = get(t, http.DefaultClient, strings.Replace(urls[0], "https:", "http:", 1)+"/")
	require.Equal(t, 400, status, "plain text on an https port is refused: %s", body)
}

func TestAClientCertificateIsLetIn(t *testing.T) {
	a := newAuthority(t)
	roles := filepath.Join(a.dir, "roles.yaml")
	require.NoError(t, os.WriteFile(roles, []byte("roles:\n- {role: viewer, who: ['certificate:CN=alice,O=Tests']}\n"), 0o600))
	file := filepath.Join(a.dir, "audit.json")
	urls, _ := startWorker(t, map[string]string{
		"listeners": "https://127.0.0.1:0", "ssl.keystore.type": "PEM", "ssl.keystore.location": a.write("server.pem", "server"),
		"ssl.truststore.type": "PEM", "ssl.truststore.location": a.file, "ssl.client.auth": "requested",
		"rest.auth.client.certificates": "true", "rest.auth.roles.file": roles, "rest.audit.file": file,
	})
	status, body, _ := get(t, a.client(a.write("alice.pem", "alice")), urls[0]+"/connectors")
	require.Equal(t, 200, status, body)
	status, body, _ = get(t, a.client(a.write("bob.pem", "bob")), urls[0]+"/connectors")
	require.Equal(t, 403, status, body)
	status, body, _ = get(t, a.client(""), urls[0]+"/connectors")
	require.Equal(t, 401, status, body)
	log, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(log), `"who":"certificate:CN=bob,O=Tests","from":"127.0.0.1","action":"connector.list"`)
	require.Equal(t, 2, strings.Count(string(log), "\n"), "what was let in and only read is not there: %s", log)
}

func TestKafkaConnectsUsersAreLetIn(t *testing.T) {
	dir := t.TempDir()
	users, jaas := filepath.Join(dir, "users.properties"), filepath.Join(dir, "jaas.conf")
	require.NoError(t, os.WriteFile(users, []byte("alice = wonder land\n"), 0o600))
	require.NoError(t, os.WriteFile(jaas, []byte(`KafkaConnect { org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required file="`+users+`"; };`), 0o600))
	t.Setenv("KAFKA_OPTS", "-Djava.security.auth.login.config="+jaas)
	urls, log := startWorker(t, map[string]string{"rest.extension.classes": "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"})
	as := func(userinfo, path string) int {
		status, _, _ := get(t, http.DefaultClient, strings.Replace(urls[0], "http://", "http://"+userinfo, 1)+path)
		return status
	}
	require.Equal(t, 200, as("alice:wonder%20land@", "/connectors"))
	require.Equal(t, 401, as("alice:wonder@", "/connectors"))
	require.Equal(t, 401, as("", "/"))
	require.Equal(t, 401, as("", "/health"), "as in Kafka Connect")
	require.NotContains(t, log.String(), "wonder")
}

func TestAdminListenersHaveTheirOwnTLS(t *testing.T) {
	a := newAuthority(t)
	probe, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	admin := probe.Addr().String()
	require.NoError(t, probe.Close())
	urls, _ := startWorker(t, map[string]string{
		"admin.listeners": "https://" + admin, "admin.listeners.https.ssl.keystore.type": "PEM", "admin.listeners.https.ssl.keystore.location": a.write("admin.pem", "admin"),
	})
	status, body, shown := get(t, a.client(""), "https://"+admin+"/admin/loggers")
	require.Equal(t, 200, status, body)
	require.Equal(t, "admin", shown)
	status, body, _ = get(t, http.DefaultClient, urls[0]+"/admin/loggers")
	require.Equal(t, 404, status, body)
}

func TestHTTPSWithoutAKeyIsRefusedWithTheSetting(t *testing.T) {
	p := &parts{settings: &config.Worker{}, logger: slog.New(slog.DiscardHandler)}
	_, _, err := p.open(t.Context(), "listeners", []config.Listener{{Scheme: "https", Host: "127.0.0.1"}}, nil)
	require.ErrorContains(t, err, "listeners: https: ssl.keystore.location: is missing")
}

func TestWhereOtherWorkersReachThisOne(t *testing.T) {
	at := func(texts ...string) (out []config.Listener) {
		for _, text := range texts {
			l, err := config.ParseListener(text)
			require.NoError(t, err)
			out = append(out, l)
		}
		return out
	}
	for name, c := range map[string]struct {
		settings config.REST
		want     string
	}{
		"the first http listener":      {config.REST{Listeners: at("https://a:1", "http://b:2", "http://c:3")}, "http://b:2/"},
		"https when there is no other": {config.REST{Listeners: at("https://a:1")}, "https://a:1/"},
		"https when asked for":         {config.REST{Listeners: at("http://b:2", "https://a:1"), AdvertisedListener: "https"}, "https://a:1/"},
		"all interfaces":               {config.REST{Listeners: at("http://0.0.0.0:2")}, "http://this.host:2/"},
		"no host":                      {config.REST{Listeners: at("http://:2")}, "http://this.host:2/"},
		"host and port":                {config.REST{Listeners: at("http://:2"), AdvertisedHost: "h", AdvertisedPort: 9}, "http://h:9/"},
		"IPv6":                         {config.REST{Listeners: at("http://[::1]:2")}, "http://[::1]:2/"},
		"IPv6, advertised":             {config.REST{Listeners: at("http://:2"), AdvertisedHost: "[fe80::1]"}, "http://[fe80::1]:2/"},
	} {
		t.Run(name, func(t *testing.T) {
			var opened []rest.Listener
			for _, l := range c.settings.Listeners {
				opened = append(opened, rest.Listener{Listener: fixed{port: l.Port}})
			}
			got, err := advertise(c.settings, opened, "this.host")
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())
			_, err = url.Parse(got.String())
			require.NoError(t, err)
		})
	}
	_, err := advertise(config.REST{Listeners: at("http://:2"), AdvertisedListener: "https"}, nil, "h")
	require.ErrorContains(t, err, "rest.advertised.listener")
}

// fixed is a listener that has only an address.
type fixed struct {
	net.Listener
	port int
}

func (f fixed) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: f.port} }
