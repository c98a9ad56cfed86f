package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/store"
)

func TestAnOffsetsTopicOfAConnectorIsOpenedOnceAndClosedWithItsLastUser(t *testing.T) {
	s := newSourceOffsets(nil, nil, nil, slog.New(slog.DiscardHandler))
	opened := 0
	var open context.Context
	use := func() (*ownTopic, func()) {
		return s.use("a", func(ctx context.Context) (*store.OffsetTopic, error) {
			opened++
			open = ctx
			return nil, nil //nolint:nilnil // what is opened does not matter here
		})
	}
	first, releaseFirst := use()
	<-first.opened
	second, releaseSecond := use()
	require.Same(t, first, second)
	require.Equal(t, 1, opened)
	releaseFirst()
	releaseFirst() // again: it counts once
	require.NoError(t, open.Err(), "the second still uses it")
	releaseSecond()
	require.Error(t, open.Err())
	third, releaseThird := use()
	<-third.opened
	defer releaseThird()
	require.NotSame(t, first, third)
	require.Equal(t, 2, opened)
}

func TestAnOffsetsTopicThatCouldNotBeOpenedIsTriedAgainByTheNext(t *testing.T) {
	s := newSourceOffsets(nil, nil, nil, slog.New(slog.DiscardHandler))
	failure := errors.New("not authorised")
	first, releaseFirst := s.use("a", func(context.Context) (*store.OffsetTopic, error) { return nil, failure })
	<-first.opened
	require.ErrorIs(t, first.err, failure)
	second, releaseSecond := s.use("a", func(context.Context) (*store.OffsetTopic, error) { return nil, nil }) //nolint:nilnil // what is opened does not matter here
	<-second.opened
	require.NoError(t, second.err, "it does not share the failure")
	releaseFirst() // takes nothing from the second
	third, releaseThird := s.use("a", nil)
	require.Same(t, second, third)
	releaseThird()
	releaseSecond()
	require.Empty(t, s.own)
	s.cut()
}

func TestTheFirstWhoGoesAwayDoesNotEndTheOpening(t *testing.T) {
	s := newSourceOffsets(nil, nil, nil, slog.New(slog.DiscardHandler))
	goOn := make(chan struct{})
	open := func(ctx context.Context) (*store.OffsetTopic, error) {
		<-goOn
		return nil, ctx.Err()
	}
	_, releaseFirst := s.use("a", open)
	second, releaseSecond := s.use("a", open)
	releaseFirst()
	s.cut() // nothing was written yet: it does not wait
	close(goOn)
	<-second.opened
	require.NoError(t, second.err)
	releaseSecond()
}
