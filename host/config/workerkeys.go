package config

import (
	"fmt"
	"slices"
	"strings"
)

// workerPrefixes start families of worker keys that no definition lists.
var workerPrefixes = []string{
	"key.converter.", "value.converter.", "header.converter.",
	"producer.", "consumer.", "admin.",
	"listeners.https.", "admin.listeners.https.", issuerTLSPrefix + "ssl.",
	"config.providers.", "metrics.context.",
	"config.storage.", "offset.storage.", "status.storage.",
}

// cannotWork are keys that Kafka Connect knows and Tailrace cannot honour; the text
// says why. They are reported only when their value is not among those that ask for nothing
// else than what happens here.
var cannotWork = map[string]struct {
	works []string
	why   string
}{
	"metric.reporters":                   {[]string{"org.apache.kafka.common.metrics.JmxReporter"}, "metric reporters are Java classes and cannot run in this worker; scrape its metrics endpoint instead"},
	"ssl.provider":                       {nil, "security providers are Java classes; Go's TLS is used"},
	"ssl.engine.factory.class":           {[]string{"org.apache.kafka.common.security.ssl.DefaultSslEngineFactory"}, "engine factories are Java classes; Go's TLS is used"},
	"ssl.secure.random.implementation":   {[]string{"SHA1PRNG", "NativePRNG", "DRBG"}, "it selects a Java class; the system's random source is used"},
	"ssl.keymanager.algorithm":           {[]string{"SunX509", "PKIX", "NewSunX509", "IbmX509"}, "it selects a Java class; Go's TLS is used"},
	"ssl.trustmanager.algorithm":         {[]string{"PKIX", "SunX509", "IbmPKIX"}, "it selects a Java class; Go's TLS is used"},
	"security.providers":                 {nil, "security providers are Java classes; Go's TLS is used"},
	"sasl.client.callback.handler.class": {[]string{"org.apache.kafka.common.security.authenticator.SaslClientCallbackHandler"}, "callback handlers are Java classes and cannot run in this worker"},
	"sasl.login.callback.handler.class": {[]string{
		"org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
		"org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
		"org.apache.kafka.common.security.oauthbearer.internals.secured.OAuthBearerLoginCallbackHandler",
		"org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler",
	}, "callback handlers are Java classes and cannot run in this worker; those of Kafka for OAUTHBEARER have a counterpart here"},
	"sasl.oauthbearer.jwt.validator.class":    {[]string{"org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", "org.apache.kafka.common.security.oauthbearer.ClientJwtValidator"}, "validators are Java classes and cannot run in this worker; the broker checks the token"},
	"sasl.login.class":                        {nil, "login classes are Java classes and cannot run in this worker"},
	"sasl.kerberos.service.name":              {nil, "Kerberos (GSSAPI) does not work here"},
	"sasl.kerberos.kinit.cmd":                 {[]string{"/usr/bin/kinit"}, "Kerberos (GSSAPI) does not work here"},
	"client.dns.lookup":                       {[]string{"use_all_dns_ips"}, "names in bootstrap.servers are used as they are, and all their addresses are tried"},
	"metadata.recovery.strategy":              {[]string{"rebootstrap", "REBOOTSTRAP"}, "a client always goes back to bootstrap.servers when no known broker answers"},
	"plugin.discovery":                        {[]string{"hybrid_warn"}, "plugins describe themselves here; nothing is scanned, so the setting has no effect"},
	"internal.key.converter":                  {nil, "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"internal.value.converter":                {nil, "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"internal.key.converter.schemas.enable":   {nil, "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"internal.value.converter.schemas.enable": {nil, "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"rest.host.name":                          {nil, "Kafka Connect removed it in 3.0; use listeners, such as http://localhost:8083"},
	"rest.port":                               {nil, "Kafka Connect removed it in 3.0; use listeners, such as http://localhost:8083"},
	"config.storage.partitions":               {nil, "the config topic always has one partition"},
	"worker.unsync.backoff.ms":                {[]string{"300000"}, "a worker that cannot read the config topic stays in its group, starts nothing new and tries again after heartbeat.interval.ms"},
}

// WithoutEffect says why a setting of Kafka Connect or its clients, given without
// prefix, cannot do here what it asks for; "" when it can or is not such a setting.
func WithoutEffect(key, value string) string {
	reason, ok := cannotWork[key]
	if !ok || strings.TrimSpace(value) == "" || slices.Contains(reason.works, strings.TrimSpace(value)) {
		return ""
	}
	return reason.why
}

// ClientSecurityKeys are the names of the settings for TLS and SASL of a Kafka client.
func ClientSecurityKeys() []string {
	names := []string{"security.protocol", "security.providers"}
	for _, k := range slices.Concat(tlsKeys, saslKeys) {
		names = append(names, k.Name)
	}
	return names
}

// IsClientSecurityKey reports whether a Kafka client knows the setting for TLS or SASL.
func IsClientSecurityKey(key string) bool { return slices.Contains(ClientSecurityKeys(), key) }

// warnings looks for keys that are not known, or known and without effect.
func (w *Worker) warnings(def *Def) []Warning {
	var out []Warning
	other := DistributedWorkerDef()
	if w.Mode == Distributed {
		other = StandaloneWorkerDef()
	}
	var known []string
	for _, k := range def.Keys() {
		known = append(known, k.Name)
	}
	for key, value := range w.Props {
		if _, ok := cannotWork[key]; ok {
			if why := WithoutEffect(key, value); why != "" {
				out = append(out, Warning{key, "has no effect: " + why})
			}
			continue
		}
		switch {
		case def.Key(key) != nil, key == "java.security.auth.login.config":
		case other.Key(key) != nil:
			if !isClientKey(key) {
				out = append(out, Warning{key, fmt.Sprintf("has no effect in a %s worker", w.Mode)})
			}
		case strings.HasSuffix(key, ".cleanup.policy") && slices.Contains([]string{"config.storage", "offset.storage", "status.storage"}, strings.TrimSuffix(key, ".cleanup.policy")):
			out = append(out, Warning{key, "has no effect: internal topics are always compacted"})
		case slices.ContainsFunc(workerPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }):
			if message := w.checkPrefixed(key, value, known); message != "" {
				out = append(out, Warning{key, message})
			}
		default:
			message := "is not a known worker setting and has no effect"
			if near := Nearest(key, known); near != "" {
				message += fmt.Sprintf("; did you mean %s?", near)
			}
			out = append(out, Warning{key, message})
		}
	}
	slices.SortFunc(out, func(a, b Warning) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// isClientKey reports whether a distributed key is a Kafka client setting, which a
// standalone worker hands to its admin clients.
func isClientKey(key string) bool {
	return strings.HasPrefix(key, "sasl.") || strings.HasPrefix(key, "ssl.") || adminClientDef().Key(key) != nil
}

// checkPrefixed returns what is odd about a key of a family; known are the keys of the worker's definition.
func (w *Worker) checkPrefixed(key, value string, known []string) string {
	family, rest, _ := strings.Cut(key, ".")
	switch kind := ClientKind(family); kind {
	case ProducerClient, ConsumerClient, AdminClient:
		def := clientDef(kind)
		if def.Key(rest) != nil {
			if why := WithoutEffect(rest, value); why != "" && isClientKey(rest) {
				return "has no effect: " + why
			}
			return ""
		}
		var names []string
		for _, k := range def.Keys() {
			names = append(names, k.Name)
		}
		message := fmt.Sprintf("is not a known setting of a Kafka %s and has no effect", kind)
		if near := Nearest(rest, names); near != "" {
			message += fmt.Sprintf("; did you mean %s.%s?", family, near)
		}
		return message
	}
	if alias, ok := strings.CutPrefix(key, "config.providers."); ok {
		alias, option, _ := strings.Cut(alias, ".")
		names, _ := ParseText("config.providers", w.Props["config.providers"], List)
		list, _ := names.([]string)
		switch {
		case !slices.Contains(list, alias):
			return fmt.Sprintf("has no effect: %s is not in config.providers", alias)
		case option != "class" && !strings.HasPrefix(option, "param."):
			return fmt.Sprintf("is not a known setting and has no effect; did you mean config.providers.%s.class or config.providers.%s.param.%s?", alias, alias, option)
		}
		return ""
	}
	// What follows config.storage. and its siblings is a setting of the topic, unless it is a slip of the keyboard.
	if near := Nearest(key, known); near != "" && distance(key, near) <= 2 && w.Mode == Distributed {
		return fmt.Sprintf("is taken for a setting of the topic; did you mean %s?", near)
	}
	return ""
}
