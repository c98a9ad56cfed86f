package kafka

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/tlsconfig"
)

// unsecuredToken makes tokens without a signature (RFC 7515, algorithm none), for
// development only: Kafka's OAuthBearerUnsecuredLoginCallbackHandler.
type unsecuredToken struct {
	claims     map[string]any
	life       time.Duration
	extensions map[string]string
}

// parseUnsecured reads the options unsecuredLogin… of the login module.
func parseUnsecured(options map[string]string) (*unsecuredToken, error) {
	u := &unsecuredToken{claims: map[string]any{}, life: time.Hour, extensions: map[string]string{}}
	principal := "sub"
	for option, value := range options {
		name, ours := strings.CutPrefix(option, "unsecuredLogin")
		if !ours {
			continue
		}
		kind, claim, _ := strings.Cut(name, "_")
		switch kind {
		case "StringClaim":
			u.claims[claim] = value
		case "NumberClaim":
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return nil, &ConfigError{Key: jaasKey, Reason: fmt.Sprintf("the option %s is not a number", option)}
			}
			u.claims[claim] = n
		case "ListClaim":
			if value == "" {
				u.claims[claim] = []string{}
				continue
			}
			u.claims[claim] = strings.Split(value[1:], value[:1]) // the first sign separates the values
		case "Extension":
			u.extensions[claim] = value
		case "PrincipalClaimName":
			principal = value
		case "ScopeClaimName": // its value is a claim of its own
		case "LifetimeSeconds":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n <= 0 {
				return nil, &ConfigError{Key: jaasKey, Reason: "the option unsecuredLoginLifetimeSeconds is not a number of seconds"}
			}
			u.life = time.Duration(n) * time.Second
		default:
			return nil, &ConfigError{Key: jaasKey, Reason: fmt.Sprintf("the option %s is not known", option)}
		}
	}
	if name, ok := u.claims[principal].(string); !ok || name == "" {
		return nil, &ConfigError{Key: jaasKey, Reason: fmt.Sprintf("the option unsecuredLoginStringClaim_%s, the name of the user, is missing; or set sasl.oauthbearer.token.endpoint.url for real tokens", principal)}
	}
	return u, nil
}

func (u *unsecuredToken) make(context.Context) (token, error) {
	now := time.Now()
	claims := maps.Clone(u.claims)
	claims["iat"] = float64(now.UnixMilli()) / 1000
	claims["exp"] = float64(now.Add(u.life).UnixMilli()) / 1000
	text, err := jwsInput(map[string]any{"alg": "none"}, claims)
	return token{text: text + ".", issued: now, expires: now.Add(u.life)}, err
}

// jwsInput is header.payload of a signed token.
func jwsInput(header, payload map[string]any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	p, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(p), nil
}

// assertionSettings say how a client proves itself to the token endpoint by a
// token that it signs (RFC 7523; sasl.oauthbearer.assertion.*).
type assertionSettings struct {
	file         string // a finished assertion
	templateFile string
	keyFile      string
	passphrase   string
	algorithm    string // RS256 or ES256
	claims       map[string]any
	withID       bool
	life, before time.Duration
}

func parseAssertion(props map[string]string) (*assertionSettings, error) {
	get := func(key string) string { return strings.TrimSpace(props["sasl.oauthbearer.assertion."+key]) }
	a := &assertionSettings{
		file: get("file"), templateFile: get("template.file"), keyFile: get("private.key.file"), passphrase: get("private.key.passphrase"),
		algorithm: "RS256", claims: map[string]any{}, withID: strings.EqualFold(get("claim.jti.include"), "true"),
		life: 300 * time.Second, before: 60 * time.Second,
	}
	var errs []error
	if text := strings.ToUpper(get("algorithm")); text != "" {
		a.algorithm = text
	}
	if a.algorithm != "RS256" && a.algorithm != "ES256" {
		errs = append(errs, &ConfigError{Key: "sasl.oauthbearer.assertion.algorithm", Reason: "it must be RS256 or ES256"})
	}
	for _, claim := range []string{"aud", "iss", "sub"} {
		if v := get("claim." + claim); v != "" {
			a.claims[claim] = v
		}
	}
	for key, field := range map[string]*time.Duration{"claim.exp.seconds": &a.life, "claim.nbf.seconds": &a.before} {
		if text := get(key); text != "" {
			n, err := strconv.ParseInt(text, 10, 32)
			if err != nil || n < 0 {
				errs = append(errs, &ConfigError{Key: "sasl.oauthbearer.assertion." + key, Reason: "it is not a number of seconds"})
			}
			*field = time.Duration(n) * time.Second
		}
	}
	if a.file == "" && a.keyFile == "" {
		errs = append(errs, &ConfigError{Key: "sasl.oauthbearer.assertion.private.key.file", Reason: "it is not set; give it, or sasl.oauthbearer.assertion.file"})
	}
	return a, errors.Join(errs...)
}

// make returns the assertion. Files are read each time, as they may be renewed.
func (a *assertionSettings) make(now time.Time) (string, error) {
	if a.file != "" {
		text, err := os.ReadFile(a.file)
		return strings.TrimSpace(string(text)), err
	}
	header := map[string]any{"typ": "JWT", "alg": a.algorithm}
	payload := map[string]any{"iat": now.Unix(), "exp": now.Add(a.life).Unix(), "nbf": now.Add(-a.before).Unix()}
	if a.withID {
		payload["jti"] = rand.Text()
	}
	if a.templateFile != "" {
		text, err := os.ReadFile(a.templateFile)
		if err != nil {
			return "", err
		}
		var template struct{ Header, Payload map[string]any }
		if err := json.Unmarshal(text, &template); err != nil {
			return "", fmt.Errorf("the assertion template %s is not JSON with header and payload", a.templateFile)
		}
		maps.Copy(header, template.Header)
		maps.Copy(payload, template.Payload)
	}
	maps.Copy(payload, a.claims)
	input, err := jwsInput(header, payload)
	if err != nil {
		return "", err
	}
	signature, err := a.sign(input)
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (a *assertionSettings) sign(input string) ([]byte, error) {
	private, err := tlsconfig.ReadPrivateKey("sasl.oauthbearer.assertion.private.key.file", a.keyFile, a.passphrase)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(input))
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if a.algorithm == "RS256" {
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		if a.algorithm == "ES256" && key.Curve.Params().BitSize == 256 {
			r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
			if err != nil {
				return nil, err
			}
			signature := make([]byte, 64)
			r.FillBytes(signature[:32])
			s.FillBytes(signature[32:])
			return signature, nil
		}
	}
	return nil, fmt.Errorf("the key in %s is not one for %s", a.keyFile, a.algorithm)
}
