package kafka

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/tlsconfig"
)

// maxTokenBytes bounds a token file and an endpoint's answer.
const maxTokenBytes = 1 << 20

// unknownTokenLife is what a token without any word about its end is used for.
const unknownTokenLife = 5 * time.Minute

// readFile reads a token that another program renews.
func (t *tokenSettings) readFile(context.Context) (token, error) {
	f, err := os.Open(t.file)
	if err != nil {
		return token{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokenBytes))
	if err != nil {
		return token{}, err
	}
	return newToken(strings.TrimSpace(string(text)), 0)
}

// newToken reads the life of a token from its own claims, otherwise from what
// the endpoint said about it in seconds.
func newToken(text string, expiresIn float64) (token, error) {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return token{}, errors.New("the token is empty or holds blanks")
	}
	now := time.Now()
	t := token{text: text, issued: now, expires: now.Add(unknownTokenLife)}
	if expiresIn > 0 {
		t.expires = now.Add(time.Duration(expiresIn * float64(time.Second)))
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Exp float64 }
	if err == nil && json.Unmarshal(raw, &claims) == nil && claims.Exp > 0 {
		t.expires = time.UnixMilli(int64(claims.Exp * 1000))
	}
	if !t.expires.After(now) {
		return token{}, fmt.Errorf("the token has expired at %s; is the clock right?", t.expires.UTC().Format(time.RFC3339))
	}
	return t, nil
}

// request asks the endpoint for a token, again after a failure that may pass,
// for at most retryBackoffMax as Kafka does.
func (t *tokenSettings) request(ctx context.Context, identity *tlsconfig.Identity) (token, error) {
	u, err := url.Parse(t.endpoint)
	if err != nil {
		return token{}, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		DialContext:     (&net.Dialer{Timeout: t.connectTimeout}).DialContext,
		TLSClientConfig: identity.ClientFor(u.Hostname()), TLSHandshakeTimeout: t.connectTimeout,
	}
	client := &http.Client{
		Transport: transport, Timeout: t.connectTimeout + t.readTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the secret goes nowhere else
	}
	deadline := time.Now().Add(t.retryBackoffMax)
	for wait := t.retryBackoff; ; wait = min(2*wait, t.retryBackoffMax) {
		tok, err := t.ask(ctx, client)
		var refused *loginError
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return tok, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return token{}, err
		}
	}
}

// ask sends one request.
func (t *tokenSettings) ask(ctx context.Context, client *http.Client) (token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.assertion != nil {
		jwt, err := t.assertion.make(time.Now())
		if err != nil {
			return token{}, &loginError{cause: err, final: true}
		}
		form = url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {jwt}}
	}
	if t.scope != "" {
		form.Set("scope", t.scope)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Cache-Control", "no-cache")
	if t.assertion == nil {
		id, secret := t.clientID, t.clientSecret
		if t.urlEncode {
			id, secret = url.QueryEscape(id), url.QueryEscape(secret)
		}
		request.SetBasicAuth(id, secret)
	}
	response, err := client.Do(request)
	if err != nil {
		return token{}, fmt.Errorf("the token endpoint cannot be reached: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBytes))
	if err != nil {
		return token{}, fmt.Errorf("the answer of the token endpoint %s was cut off: %w", t.endpoint, err)
	}
	return t.answer(response.StatusCode, body)
}

// answer reads what the endpoint said. Only the error fields that OAuth 2.0
// defines are shown, without the secret should it be quoted in them.
func (t *tokenSettings) answer(status int, body []byte) (token, error) {
	var answer struct {
		AccessToken      string  `json:"access_token"`
		IDToken          string  `json:"id_token"`
		ExpiresIn        float64 `json:"expires_in"`
		Error            string  `json:"error"`
		ErrorDescription string  `json:"error_description"`
	}
	parseErr := json.Unmarshal(body, &answer)
	if status/100 != 2 {
		text := fmt.Sprintf("the token endpoint %s answered %d", t.endpoint, status)
		if answer.Error != "" {
			detail := strings.TrimSpace(answer.Error + " " + answer.ErrorDescription)
			if t.clientSecret != "" {
				detail = strings.ReplaceAll(detail, t.clientSecret, "[hidden]")
			}
			text += ": " + detail[:min(len(detail), 300)]
		}
		err := errors.New(text)
		if status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests {
			return token{}, &loginError{cause: err, final: true}
		}
		return token{}, err
	}
	text := answer.AccessToken
	if text == "" {
		text = answer.IDToken
	}
	if parseErr != nil || text == "" {
		return token{}, &loginError{cause: fmt.Errorf("the answer of the token endpoint %s holds no access_token", t.endpoint), final: true}
	}
	tok, err := newToken(text, answer.ExpiresIn)
	if err != nil {
		return token{}, &loginError{cause: err, final: true}
	}
	return tok, nil
}
