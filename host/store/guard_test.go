package store

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// I-5: a worker that others may have replaced stores nothing, and still reads.
func TestAGuardedStoreWritesOnlyWhileItMay(t *testing.T) {
	file, err := OpenFileOffsetStore(t.TempDir() + "/offsets")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	var refusal error
	s := Guard(file, func() error { return refusal })
	key := []byte(`["c",{"p":1}]`)
	require.NoError(t, s.Put(t.Context(), []OffsetEntry{{Key: key, Value: []byte(`{"n":1}`)}}))
	refusal = errors.New("replaced")
	require.ErrorIs(t, s.Put(t.Context(), []OffsetEntry{{Key: key, Value: []byte(`{"n":2}`)}}), refusal)
	values, err := s.Get(t.Context(), [][]byte{key})
	require.NoError(t, err)
	require.JSONEq(t, `{"n":1}`, string(values[0]))
}
