package store

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAGuardedStoreTakesNoOffsetsOfAWorkerThatMayNotWrite(t *testing.T) { // I-5
	inner := NewMemoryOffsetStore()
	lost := errors.New("another worker may have taken over")
	var allowed error
	guarded := Guard(inner, func() error { return allowed })
	ctx := context.Background()
	key := []byte(`["c",{"file":"a"}]`)
	value := func() string {
		values, err := guarded.Get(ctx, [][]byte{key})
		require.NoError(t, err)
		return string(values[0])
	}

	require.NoError(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("1")}}))
	allowed = lost
	require.ErrorIs(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("2")}}), lost)
	require.Equal(t, "1", value(), "reading goes on, and nothing was written")
	allowed = nil
	require.NoError(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("3")}}))
	require.Equal(t, "3", value())
}
