package server

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken from below Linux's range of ephemeral ports (32768 and up). A port from that range, left empty
// while a broker is down, can be given to an outgoing connection: a client that dials it again and again may even be
// connected to itself.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePorts returns n ports of 127.0.0.1 that nothing listens on now. Another process may take one before it is used,
// so whoever starts a server on it tries again with other ports.
func freePorts(n int) ([]int, error) {
	var ports []int
	for tries := 0; len(ports) < n && tries < 1000; tries++ {
		port := firstPort + rand.IntN(lastPort-firstPort)                     //nolint:gosec // a port to try, not a secret
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // returns at once
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are found, so that they differ
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("found no %d free ports between %d and %d on 127.0.0.1", n, firstPort, lastPort)
	}
	return ports, nil
}
