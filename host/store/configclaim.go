package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/host/kafka"
)

// In a cluster whose source tasks can write exactly once, what only the leader may write goes through a producer with a
// transactional id that all leaders share (KIP-618): a new leader fences the one before it, whose writes then fail, and
// reads to the end before it decides anything. So a suspended leader cannot write after its successor has looked (I-5).

// ErrNotClaimed says that this worker has not claimed the writes of the config topic, or that another one has claimed them
// since. Nothing was written. The leader claims them and tries again.
var ErrNotClaimed = errors.New("the writes of the config topic are not claimed by this worker, or were claimed by another since")

// UseTransactions makes the leader's writes transactions of the producer that claim opens, and which fences the ones before.
// It is called before the first write.
func (s *ConfigTopic) UseTransactions(claim func(ctx context.Context) (*kafka.Transactor, error)) {
	s.claim = claim
}

// Claim makes this worker the one that may write as leader, and reads to the end what was written before. Once claimed, it
// does nothing. Without transactions it does nothing either.
func (s *ConfigTopic) Claim(ctx context.Context) error {
	if s.claim == nil {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.leader != nil && !s.cut.Load() {
		return nil
	}
	s.drop()
	s.cut.Store(false)
	ctx, cancel := context.WithTimeout(ctx, configWriteTimeout)
	defer cancel()
	leader, err := s.claim(ctx)
	if err == nil {
		if err = s.log.ReadToEnd(ctx); err != nil {
			leader.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot claim the writes of the config topic: %w", err)
	}
	s.leader = leader
	return nil
}

// Resign gives up the claim. It waits for a write that is under way.
func (s *ConfigTopic) Resign() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.drop()
}

// drop closes the producer; s.writing is held.
func (s *ConfigTopic) drop() {
	if s.leader != nil {
		s.leader.Close()
		s.leader = nil
	}
}

// lead writes what only the leader may, all or nothing with transactions, and reads it back. s.writing is held.
func (s *ConfigTopic) lead(ctx context.Context, records ...Record) error {
	if s.claim == nil {
		return s.write(ctx, records...)
	}
	ctx, cancel := context.WithTimeout(ctx, configWriteTimeout)
	defer cancel()
	release := s.cutting(cancel)
	defer release()
	if s.leader == nil || s.cut.Load() {
		return fmt.Errorf("cannot write %s to the config topic: %w", records[0].Key, ErrNotClaimed)
	}
	out := make([]kafka.OutRecord, len(records))
	for i, r := range records {
		out[i] = kafka.OutRecord{Topic: s.topic, Partition: kafka.PartitionAny, TimestampMillis: kafka.TimestampNow, Key: r.Key, Value: r.Value}
	}
	err := s.leader.Write(ctx, out)
	if err != nil {
		s.drop() // a transaction that ended like this leaves nothing that the next one could begin with
		if errors.Is(err, kafka.ErrFenced) {
			err = fmt.Errorf("%w: %w", ErrNotClaimed, err)
		}
	} else {
		err = s.log.ReadToEnd(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s to the config topic: %w", records[0].Key, err)
	}
	return nil
}

// cutting lets Cut end a write that is under way, until release.
func (s *ConfigTopic) cutting(end context.CancelFunc) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endWrite = end
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.endWrite = nil
	}
}
