package rest

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	guessesPerSecond = 1
	guessesAtOnce    = 10
	// maxClients bounds how many clients are remembered, twice: those of late, and those before.
	maxClients = 4096
)

// throttle gives each key a number of turns at once, and some per second after
// that. What it remembers is bounded: of too many keys the oldest are forgotten.
type throttle struct {
	perSecond, atOnce float64

	mu        sync.Mutex
	now, past map[string]*bucket
}

// bucket is what one key has left.
type bucket struct {
	turns float64
	at    time.Time
	told  time.Time // when it was last said that there are none left
}

func newThrottle(perSecond, atOnce float64) *throttle {
	return &throttle{perSecond: perSecond, atOnce: atOnce, now: map[string]*bucket{}}
}

// bucket returns a key's bucket as it is at this moment.
func (t *throttle) bucket(key string) *bucket {
	at := time.Now()
	b := t.now[key]
	if b == nil {
		if b = t.past[key]; b == nil {
			b = &bucket{turns: t.atOnce, at: at}
		}
		if len(t.now) >= maxClients {
			t.past, t.now = t.now, map[string]*bucket{}
		}
		t.now[key] = b
	}
	b.turns = min(t.atOnce, b.turns+at.Sub(b.at).Seconds()*t.perSecond)
	b.at = at
	return b
}

// take takes a turn, if there is one.
func (t *throttle) take(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(key)
	if b.turns < 1 {
		return false
	}
	b.turns--
	return true
}

// give gives a turn back.
func (t *throttle) give(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(key)
	b.turns = min(t.atOnce, b.turns+1)
}

// news tells whether it has been long enough since this key was last spoken of.
func (t *throttle) news(key string, interval time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(key)
	if b.at.Sub(b.told) < interval {
		return false
	}
	b.told = b.at
	return true
}

// client is whom limits count as one: an IPv4 address, or the network of 64 bits that one IPv6 customer has.
func client(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(h)
	if err != nil {
		return h
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
