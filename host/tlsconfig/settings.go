package tlsconfig

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SettingError is a setting that cannot be used. It never shows the value of a secret.
type SettingError struct {
	Key    string
	Reason string
	Err    error // may be nil
}

func (e *SettingError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Key, e.Reason, e.Err)
	}
	return e.Key + ": " + e.Reason
}

func (e *SettingError) Unwrap() error { return e.Err }

// Settings are checked ssl.* settings. The zero value trusts the system's
// authorities, shows no certificate and checks host names.
type Settings struct {
	keys  store
	trust store

	minVersion, maxVersion uint16 // 0: Go's default
	suites                 []uint16
	skipHostname           bool
	clientAuth             tls.ClientAuthType
}

// HasKey reports whether there is a certificate to show; a server needs one.
func (s Settings) HasKey() bool { return !s.keys.empty() }

// Parse checks settings whose names start with ssl. (a prefix such as
// listeners.https. is already cut off). Keys that are absent have Kafka's defaults.
func Parse(props map[string]string) (Settings, error) {
	get := func(key string) string { return strings.TrimSpace(props[key]) }
	s := Settings{
		keys: store{
			role: "keystore", kind: storeType(get("ssl.keystore.type")), location: get("ssl.keystore.location"),
			password: props["ssl.keystore.password"], keyPassword: props["ssl.key.password"],
			keyPEM: props["ssl.keystore.key"], certificatePEM: props["ssl.keystore.certificate.chain"],
		},
		trust: store{
			role: "truststore", kind: storeType(get("ssl.truststore.type")), location: get("ssl.truststore.location"),
			password: props["ssl.truststore.password"], certificatePEM: props["ssl.truststore.certificates"],
		},
	}
	for _, st := range []store{s.keys, s.trust} {
		if err := st.check(); err != nil {
			return Settings{}, err
		}
	}
	var err error
	if s.minVersion, s.maxVersion, err = versions(props); err != nil {
		return Settings{}, err
	}
	if s.suites, err = cipherSuites(get("ssl.cipher.suites")); err != nil {
		return Settings{}, err
	}
	if err := s.limitBySuites(); err != nil {
		return Settings{}, err
	}
	algorithm, given := props["ssl.endpoint.identification.algorithm"]
	switch algorithm = strings.TrimSpace(algorithm); {
	case !given || strings.EqualFold(algorithm, "https"):
	case algorithm == "":
		s.skipHostname = true
	default:
		return Settings{}, &SettingError{Key: "ssl.endpoint.identification.algorithm", Reason: fmt.Sprintf("%q is not known; use https, or nothing to leave host names unchecked", algorithm)}
	}
	switch auth := strings.ToLower(get("ssl.client.auth")); auth {
	case "", "none":
	case "requested":
		s.clientAuth = tls.VerifyClientCertIfGiven
	case "required":
		s.clientAuth = tls.RequireAndVerifyClientCert
	default:
		return Settings{}, &SettingError{Key: "ssl.client.auth", Reason: fmt.Sprintf("%q is not known; use none, requested or required", auth)}
	}
	return s, nil
}

// known are the versions by Java's names. The old ones may stand in a list, as they
// do in many configurations, but are never spoken: current Java refuses them too.
var known = map[string]uint16{"TLS": tls.VersionTLS13, "TLSV1.3": tls.VersionTLS13, "TLSV1.2": tls.VersionTLS12, "TLSV1.1": 0, "TLSV1": 0, "SSLV3": 0}

// versions combines two settings as Java does: ssl.protocol is an upper limit,
// ssl.enabled.protocols the choice below it.
func versions(props map[string]string) (lowest, highest uint16, err error) {
	limit := uint16(tls.VersionTLS13)
	if protocol := strings.TrimSpace(props["ssl.protocol"]); protocol != "" {
		if limit = known[strings.ToUpper(protocol)]; limit == 0 {
			return 0, 0, &SettingError{Key: "ssl.protocol", Reason: fmt.Sprintf("%q is not known or not safe; use TLSv1.3 or TLSv1.2", protocol)}
		}
	}
	const key = "ssl.enabled.protocols"
	text := props[key]
	if strings.TrimSpace(text) == "" {
		text = "TLSv1.2,TLSv1.3"
	}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.ToUpper(strings.TrimSpace(name)); name == "" {
			continue
		}
		version, ok := known[name]
		if !ok {
			return 0, 0, &SettingError{Key: key, Reason: fmt.Sprintf("%q is not known; use TLSv1.2 and TLSv1.3", name)}
		}
		if version == 0 || version > limit {
			continue
		}
		if lowest == 0 || version < lowest {
			lowest = version
		}
		highest = max(highest, version)
	}
	if lowest == 0 {
		return 0, 0, &SettingError{Key: key, Reason: "none of " + text + " is safe and allowed by ssl.protocol; use TLSv1.2 or TLSv1.3"}
	}
	return lowest, highest, nil
}

// limitBySuites switches a version off that none of the named cipher suites belongs to, as in
// Java. Which suites of TLS 1.3 are used is Go's choice.
func (s *Settings) limitBySuites() error {
	if len(s.suites) == 0 {
		return nil
	}
	old, current := false, false
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(s.suites, suite.ID) {
			old = old || slices.Contains(suite.SupportedVersions, tls.VersionTLS12)
			current = current || slices.Contains(suite.SupportedVersions, tls.VersionTLS13)
		}
	}
	if !current {
		s.maxVersion = min(s.maxVersion, tls.VersionTLS12)
	}
	if !old {
		s.minVersion = max(s.minVersion, tls.VersionTLS13)
	}
	if s.minVersion > s.maxVersion {
		return &SettingError{Key: "ssl.cipher.suites", Reason: "none of the cipher suites belongs to a version in ssl.enabled.protocols"}
	}
	return nil
}

// cipherSuites reads the names of the standard.
func cipherSuites(text string) ([]uint16, error) {
	const key = "ssl.cipher.suites"
	if text == "" {
		return nil, nil
	}
	ids := map[string]uint16{}
	for _, suite := range tls.CipherSuites() {
		ids[suite.Name] = suite.ID
	}
	var suites []uint16
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		id, ok := ids[name]
		if !ok {
			return nil, &SettingError{Key: key, Reason: fmt.Sprintf("%s is not known or not safe; known are %s", name, strings.Join(slices.Sorted(maps.Keys(ids)), ", "))}
		}
		suites = append(suites, id)
	}
	return suites, nil
}
