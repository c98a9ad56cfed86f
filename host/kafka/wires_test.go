package kafka

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
)

// What a client has written and the other side has not taken is dropped, not delivered when the network is back.
func TestACutConnectionDeliversNothingMore(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	other, err := listener.Accept()
	require.NoError(t, err)
	defer other.Close()

	w := new(wires)
	conn, err := w.add(raw)
	require.NoError(t, err)
	const size = 64 << 20 // more than the buffers of both sides
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, size))
		written <- err
	}()
	_, err = io.ReadFull(other, make([]byte, 1))
	require.NoError(t, err)
	w.cut()
	require.Error(t, <-written)
	got, err := io.Copy(io.Discard, other)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Less(t, got, int64(size))

	late, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	_, err = w.add(late)
	require.ErrorIs(t, err, errCut)
}

// I-5: a write that has no answer yet when a worker loses its place is given up, and the log goes on with the next one.
func TestACutLogGivesUpItsWritesAndGoesOn(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	log, _ := openLog(t, broker.Bootstrap, broker.Topic(t, 1), nil)
	require.NoError(t, log.Append(within(t), LogEntry{Key: []byte("k"), Value: []byte("before")}))
	broker.Pause(t)
	gone := make(chan error, 1)
	log.Send(within(t), func(err error) { gone <- err }, LogEntry{Key: []byte("k"), Value: []byte("lost")})
	started := time.Now()
	log.Cut()
	err := <-gone
	require.Less(t, time.Since(started), 5*time.Second)
	require.ErrorIs(t, err, ErrFenced)
	require.True(t, IsRetriable(err), err)
	broker.Resume(t)
	require.NoError(t, log.Append(within(t), LogEntry{Key: []byte("k"), Value: []byte("after")}))
	records := broker.Records(t, log.topic)
	require.Equal(t, "after", string(records[len(records)-1].Value))
}
