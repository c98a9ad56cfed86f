package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/tailrace/tailrace/host/config"
)

// login is how a client says who it is. It holds secrets.
type login struct {
	name     string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
	username string
	password string
	isToken  bool // SCRAM with a delegation token
	token    *tokenSettings
}

// loginModules are Kafka's login modules and the mechanisms that they serve.
var loginModules = map[string][]string{
	"org.apache.kafka.common.security.plain.PlainLoginModule":             {"PLAIN"},
	"org.apache.kafka.common.security.scram.ScramLoginModule":             {"SCRAM-SHA-256", "SCRAM-SHA-512"},
	"org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule": {"OAUTHBEARER"},
}

const jaasKey = "sasl.jaas.config"

// parseLogin reads the sasl.* properties of a client that logs in. Errors are
// *ConfigError and hold no value of a secret (I-9).
func parseLogin(props map[string]string) (*login, error) {
	l := &login{name: strings.ToUpper(strings.TrimSpace(props["sasl.mechanism"]))}
	bad := func(key, reason string, args ...any) error {
		return &ConfigError{Key: key, Reason: fmt.Sprintf(reason, args...)}
	}
	switch l.name {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER":
	case "":
		return nil, bad("sasl.mechanism", "it is not set, and Kafka's default GSSAPI (Kerberos) does not work here; set PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, whichever the broker offers")
	case "GSSAPI":
		return nil, bad("sasl.mechanism", "GSSAPI (Kerberos) does not work here; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, or a certificate with security.protocol=SSL")
	default:
		return nil, bad("sasl.mechanism", "%s is not known; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER", l.name)
	}
	var module config.LoginModule
	if text := strings.TrimSpace(props[jaasKey]); text != "" {
		var err error
		if module, err = config.ParseJAAS(text); err != nil {
			return nil, bad(jaasKey, "%v", err)
		}
		mechanisms, known := loginModules[module.Class]
		switch {
		case !known:
			return nil, bad(jaasKey, "the login module %s is a Java class and cannot run here; use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule of org.apache.kafka.common.security", module.Class)
		case !slices.Contains(mechanisms, l.name):
			return nil, bad(jaasKey, "%s is for %s, but sasl.mechanism is %s", module.Name(), strings.Join(mechanisms, " and "), l.name)
		}
	} else if l.name != "OAUTHBEARER" {
		return nil, bad(jaasKey, "it is not set; %s needs it, with username and password. A file named by the Java property java.security.auth.login.config is not read: copy its KafkaClient entry", l.name)
	}
	if l.name == "OAUTHBEARER" {
		token, err := parseToken(props, module.Options)
		l.token = token
		return l, err
	}
	var errs []error
	for option, field := range map[string]*string{"username": &l.username, "password": &l.password} {
		if *field = module.Options[option]; *field == "" {
			errs = append(errs, bad(jaasKey, "the option %s of %s is missing", option, module.Name()))
		}
	}
	l.isToken = l.name != "PLAIN" && strings.EqualFold(module.Options["tokenauth"], "true")
	return l, errors.Join(errs...)
}

// mechanism makes what the library runs for each connection.
func (l *login) mechanism() (sasl.Mechanism, error) {
	scramAuth := scram.Auth{User: l.username, Pass: l.password, IsToken: l.isToken}
	switch l.name {
	case "PLAIN":
		return plain.Auth{User: l.username, Pass: l.password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scramAuth.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scramAuth.AsSha512Mechanism(), nil
	default:
		return l.token.mechanism()
	}
}
