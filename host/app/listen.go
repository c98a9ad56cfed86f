package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/rest"
	"github.com/tailrace/tailrace/host/tlsconfig"
)

// listen takes the addresses of the REST API.
func (p *parts) listen(ctx context.Context) error {
	settings := p.settings.REST
	var err error
	if p.listeners, p.identity, err = p.open(ctx, "listeners", settings.Listeners, settings.TLS); err != nil {
		return err
	}
	if p.admin, _, err = p.open(ctx, "admin.listeners", settings.AdminListeners, settings.AdminTLS); err != nil {
		return err
	}
	p.advertised, err = advertise(settings, p.listeners, hostname())
	return err
}

// open opens the addresses of one setting. ssl are the TLS settings of https among them.
func (p *parts) open(ctx context.Context, key string, addresses []config.Listener, ssl map[string]string) ([]rest.Listener, *tlsconfig.Identity, error) {
	identity, server, err := p.openTLS(key, addresses, ssl)
	if err != nil {
		return nil, nil, err
	}
	var opened []rest.Listener
	for _, l := range addresses {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address())
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return nil, nil, fmt.Errorf("%s: %s: the port is in use; stop the other program or choose another port", key, l)
		case errors.Is(err, syscall.EACCES):
			return nil, nil, fmt.Errorf("%s: %s: the port may not be opened; choose one above 1023", key, l)
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %s cannot be opened: %w", key, l, err)
		}
		p.onClose(func(context.Context) error { _ = listener.Close(); return nil })
		o := rest.Listener{Listener: listener}
		if l.Scheme == "https" {
			o.TLS = server
		}
		opened = append(opened, o)
	}
	return opened, identity, nil
}

// openTLS reads what https listeners need; without any it needs nothing.
func (p *parts) openTLS(key string, addresses []config.Listener, ssl map[string]string) (*tlsconfig.Identity, *tls.Config, error) {
	if !hasScheme(addresses, "https") {
		return nil, nil, nil
	}
	settings, err := tlsconfig.Parse(ssl)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: https: %w", key, err)
	}
	identity, err := tlsconfig.Open(settings, "keys and certificates of "+key, p.logger)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: https: %w", key, err)
	}
	server, err := identity.Server()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: https: %w", key, err)
	}
	return identity, server, nil
}

func hasScheme(addresses []config.Listener, scheme string) bool {
	for _, l := range addresses {
		if l.Scheme == scheme {
			return true
		}
	}
	return false
}

// advertise says where other workers reach this one, as Kafka Connect does:
// rest.advertised.* where they are set, otherwise the first http listener, or the
// first https one when there is no other. hostname stands for a listener on all interfaces.
func advertise(settings config.REST, opened []rest.Listener, hostname string) (*url.URL, error) {
	scheme := settings.AdvertisedListener
	switch {
	case scheme != "" && !hasScheme(settings.Listeners, scheme):
		return nil, fmt.Errorf("rest.advertised.listener: there is no %s address among listeners; add one", scheme)
	case scheme == "" && hasScheme(settings.Listeners, "http"):
		scheme = "http"
	case scheme == "":
		scheme = "https"
	}
	for i, l := range settings.Listeners {
		if l.Scheme != scheme {
			continue
		}
		_, port, err := net.SplitHostPort(opened[i].Addr().String())
		if err != nil {
			return nil, fmt.Errorf("listeners: %s: %w", l, err)
		}
		host := l.Host
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = hostname
		}
		if settings.AdvertisedHost != "" {
			host = strings.Trim(settings.AdvertisedHost, "[]")
		}
		if settings.AdvertisedPort != 0 {
			port = strconv.Itoa(settings.AdvertisedPort)
		}
		return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/"}, nil
	}
	return nil, errors.New("listeners: there is none")
}
