package cluster

import (
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/store"
)

// RFC 4231, test case 2.
func TestASignatureIsTheHMACOfTheBody(t *testing.T) {
	key := store.SessionKey{Key: []byte("Jefe")}
	body := []byte("what do ya want for nothing?")
	for algorithm, want := range map[string]string{
		"HmacSHA256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		"hmacsha224": "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
	} {
		mac, err := hex.DecodeString(want)
		require.NoError(t, err)
		s, err := Sign(key, algorithm, body)
		require.NoError(t, err)
		require.Equal(t, base64.StdEncoding.EncodeToString(mac), s)
		require.NoError(t, Verify(&key, []string{"HmacSHA256", "HmacSHA224"}, algorithm, s, body))
	}
	_, err := Sign(key, "HmacNone", body)
	require.ErrorContains(t, err, "use HmacSHA256")
}

func TestRequestsThatAreNotProvenAreRefused(t *testing.T) {
	key, err := NewSessionKey("HmacSHA256", 0, time.Now())
	require.NoError(t, err)
	require.Len(t, key.Key, 32)
	accepted := []string{"HmacSHA256"}
	good, err := Sign(key, "HmacSHA256", nil)
	require.NoError(t, err)
	require.NoError(t, Verify(&key, accepted, "HmacSHA256", good, nil))
	require.ErrorIs(t, Verify(&key, accepted, "HmacSHA256", "", nil), ErrSignatureMissing)
	require.ErrorIs(t, Verify(&key, accepted, "", good, nil), ErrSignatureMissing)
	require.ErrorIs(t, Verify(nil, accepted, "HmacSHA256", good, nil), ErrNoSessionKey)
	require.ErrorIs(t, Verify(&key, accepted, "HmacSHA256", good, []byte("other")), ErrSignatureInvalid)
	require.ErrorIs(t, Verify(&key, accepted, "HmacSHA256", "not base64!", nil), ErrSignatureInvalid)
	var unsupported *UnsupportedAlgorithmError
	require.ErrorAs(t, Verify(&key, accepted, "HmacSHA1", good, nil), &unsupported)
}

func TestAKeyIsRenewedWhenItIsOldOrForOtherSettings(t *testing.T) {
	now := time.UnixMilli(10_000_000)
	key, err := NewSessionKey("HmacSHA256", 256, now)
	require.NoError(t, err)
	require.True(t, KeyIsDue(nil, "HmacSHA256", 0, time.Hour, now))
	require.False(t, KeyIsDue(&key, "HmacSHA256", 0, time.Hour, now.Add(59*time.Minute)))
	require.True(t, KeyIsDue(&key, "HmacSHA256", 0, time.Hour, now.Add(time.Hour)))
	require.False(t, KeyIsDue(&key, "HmacSHA256", 256, 0, now.Add(1000*time.Hour)))
	require.True(t, KeyIsDue(&key, "HmacSHA512", 0, time.Hour, now))
	require.True(t, KeyIsDue(&key, "HmacSHA256", 128, time.Hour, now))
	// Clocks jump: the key lives for twice its time at most.
	require.False(t, KeyIsDue(&key, "HmacSHA256", 0, time.Hour, now.Add(-59*time.Minute)))
	require.True(t, KeyIsDue(&key, "HmacSHA256", 0, time.Hour, now.Add(-time.Hour)))
	require.True(t, KeyIsDue(&key, "HmacSHA256", 0, time.Hour, now.AddDate(1, 0, 0)))
	_, err = NewSessionKey("HmacSHA256", 8, now)
	require.ErrorContains(t, err, "inter.worker.key.size")
	_, err = NewSessionKey("AES", 0, now)
	require.ErrorContains(t, err, "inter.worker.key.generation.algorithm")
}
