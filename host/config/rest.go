package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Auth says who is let in to the REST API.
type Auth struct {
	UsersFile string
	// ConnectUsersFile is the properties file of Kafka Connect's basic authentication.
	ConnectUsersFile   string
	ClientCertificates bool
	RolesFile          string
	OpenHealth         bool

	Issuer, Audience, KeysURL string
	UserClaim, GroupsClaim    string
	ClockSkew                 time.Duration
	// IssuerTLS are the rest.auth.oidc.ssl. settings, without prefix.
	IssuerTLS map[string]string
}

// Enabled reports whether clients have to show who they are.
func (a Auth) Enabled() bool {
	return a.UsersFile != "" || a.ConnectUsersFile != "" || a.ClientCertificates || a.Issuer != ""
}

// Limits bound what clients of the REST API may ask.
type Limits struct {
	BodyBytes            int64
	Connections          int
	ConnectionsPerClient int
	RequestsPerSecond    int // per client; 0 means no limit
}

// issuerTLSPrefix starts the TLS settings of requests to the issuer of tokens.
const issuerTLSPrefix = "rest.auth.oidc."

func (w *Worker) readRESTSecurity(v Values) error {
	var errs []error
	a := Auth{
		UsersFile: v.Text("rest.auth.users.file"), ClientCertificates: v.Bool("rest.auth.client.certificates"),
		RolesFile: v.Text("rest.auth.roles.file"), OpenHealth: v.Bool("rest.auth.open.health"),
		Issuer: v.Text("rest.auth.oidc.issuer"), Audience: v.Text("rest.auth.oidc.audience"), KeysURL: v.Text("rest.auth.oidc.jwks.url"),
		UserClaim: v.Text("rest.auth.oidc.user.claim"), GroupsClaim: v.Text("rest.auth.oidc.groups.claim"),
		ClockSkew: time.Duration(v.Int("rest.auth.oidc.clock.skew.seconds")) * time.Second,
		IssuerTLS: withPrefix(w.Props, issuerTLSPrefix),
	}
	file, err := connectUsersFile(v.List("rest.extension.classes"), w.Props["java.security.auth.login.config"])
	if err != nil {
		errs = append(errs, Invalid("rest.extension.classes", strings.Join(v.List("rest.extension.classes"), ","), err.Error()))
	}
	a.ConnectUsersFile = file
	if a.Issuer == "" && (a.Audience != "" || a.KeysURL != "") {
		errs = append(errs, Invalid("rest.auth.oidc.issuer", "", "is needed together with the other rest.auth.oidc. settings"))
	}
	if a.RolesFile != "" && !a.Enabled() {
		errs = append(errs, Invalid("rest.auth.roles.file", a.RolesFile, "has no meaning while nobody has to show who he is; set rest.auth.users.file, rest.auth.oidc.issuer or rest.auth.client.certificates"))
	}
	r := &w.REST
	if a.ClientCertificates && !asksForCertificates(r.TLS, r.Listeners) && !asksForCertificates(r.AdminTLS, r.AdminListeners) {
		errs = append(errs, Invalid("rest.auth.client.certificates", true, "needs an https listener and ssl.client.auth=requested or required"))
	}
	r.Auth = a
	r.AuditFile, r.AuditReads = v.Text("rest.audit.file"), v.Bool("rest.audit.reads")
	r.Limits = Limits{
		BodyBytes: v.Int("rest.max.request.bytes"), Connections: int(v.Int("rest.max.connections")),
		ConnectionsPerClient: int(v.Int("rest.max.connections.per.client")), RequestsPerSecond: int(v.Int("rest.max.requests.per.second")),
	}
	return errors.Join(errs...)
}

func asksForCertificates(ssl map[string]string, listeners []Listener) bool {
	auth := strings.ToLower(strings.TrimSpace(ssl["ssl.client.auth"]))
	return (auth == "requested" || auth == "required") && slices.ContainsFunc(listeners, func(l Listener) bool { return l.Scheme == "https" })
}

// basicAuthExtension is the one REST extension that comes with Kafka Connect.
const basicAuthExtension = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"

// propertyFileLogin is the login module that comes with it.
const propertyFileLogin = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"

// connectUsersFile finds the users of Kafka Connect's basic authentication: the
// extension reads a JAAS file, whose module reads a properties file. Another
// extension is refused and not passed over: most of them guard the API.
func connectUsersFile(extensions []string, jaasFile string) (string, error) {
	extensions = slices.DeleteFunc(slices.Clone(extensions), func(class string) bool { return class == "" })
	if len(extensions) == 0 {
		return "", nil
	}
	for _, class := range extensions {
		if class != basicAuthExtension && class != basicAuthExtension[strings.LastIndexByte(basicAuthExtension, '.')+1:] {
			return "", fmt.Errorf("%s is a Java class and cannot run in this worker; remove it, and use the rest.auth. settings if it guards the API", class)
		}
	}
	if jaasFile == "" {
		jaasFile = jaasFileOfJVM(os.Getenv("KAFKA_OPTS"))
	}
	if jaasFile == "" {
		return "", errors.New("the JAAS file is not named; set java.security.auth.login.config among the worker's settings, or -Djava.security.auth.login.config=FILE in KAFKA_OPTS")
	}
	text, err := os.ReadFile(jaasFile)
	if err != nil {
		return "", fmt.Errorf("the JAAS file cannot be read: %w", err)
	}
	file, err := usersOfJAAS(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", jaasFile, err)
	}
	return file, nil
}

var jvmOption = regexp.MustCompile(`-Djava\.security\.auth\.login\.config=("[^"]*"|'[^']*'|\S+)`)

// jaasFileOfJVM finds the file among options of a JVM.
func jaasFileOfJVM(options string) string {
	found := jvmOption.FindStringSubmatch(options)
	if found == nil {
		return ""
	}
	return strings.TrimPrefix(strings.Trim(found[1], `"'`), "=")
}

var (
	jaasComment = regexp.MustCompile(`(?s:/\*.*?\*/)|(?m:^\s*(?://|#).*$)`)
	jaasEntry   = regexp.MustCompile(`(?s)\bKafkaConnect\s*\{\s*([\w.$]+)\s+(?i:required|requisite|sufficient|optional)\b([^;]*);\s*\}\s*;`)
	jaasFileKey = regexp.MustCompile(`\bfile\s*=\s*"((?:[^"\\]|\\.)*)"`)
)

// usersOfJAAS finds the file of users in the entry KafkaConnect of a JAAS file.
func usersOfJAAS(text string) (string, error) {
	entry := jaasEntry.FindStringSubmatch(jaasComment.ReplaceAllString(text, ""))
	if entry == nil {
		return "", errors.New("there is no entry KafkaConnect { … }; with one login module")
	}
	if entry[1] != propertyFileLogin {
		return "", fmt.Errorf("the login module %s is a Java class and cannot run in this worker; use %s or the rest.auth. settings", entry[1], propertyFileLogin)
	}
	file := jaasFileKey.FindStringSubmatch(entry[2])
	if file == nil {
		return "", errors.New("the login module has no option file=\"…\"")
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(file[1]), nil
}
