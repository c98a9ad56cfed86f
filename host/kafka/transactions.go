package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// NewTransactionalProducer makes a producer whose records are seen, by those who read what is committed, only when the
// transaction that they are part of is committed. When it returns, an earlier producer with the same id is fenced, and what
// that one had not committed is undone (I-5). Between Begin and the end of a transaction Produce may be called; one
// goroutine at a time calls Begin, Commit and Abort.
func NewTransactionalProducer(ctx context.Context, cfg ClientConfig, id string) (*Producer, error) {
	return newTransactional(ctx, cfg, id, kgo.TransactionTimeout(cfg.Producer.TransactionTimeout))
}

// newTransactional is what a transactional producer and a Transactor have in common.
func newTransactional(ctx context.Context, cfg ClientConfig, id string, more ...kgo.Opt) (*Producer, error) {
	const op = "begin transactions as"
	if cfg.Kind != ProducerClient {
		return nil, &Error{Op: op, Subject: id, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	p := &Producer{cfg: cfg, health: new(health), transactionalID: id}
	p.cfg.wires = new(wires)
	var err error
	if p.cl, err = p.cfg.newClient(p.health, append(more, kgo.ProducerBatchMaxBytesFn(p.batchLimit), kgo.TransactionalID(id))...); err != nil {
		return nil, newError(op, id, err)
	}
	if _, _, err := p.cl.ProducerID(ctx); err != nil {
		<-p.abort() //nolint:contextcheck // nothing is on its way
		return nil, newError(op, id, err)
	}
	return p, nil
}

// Begin opens a transaction: what is produced from now on belongs to it.
func (p *Producer) Begin() error {
	return newError("begin a transaction as", p.transactionalID, p.cl.BeginTransaction())
}

// Commit adds records to the open transaction and ends it. The batches produced before must be decided, each of them
// without a failed record. After an error nobody knows whether the transaction counts: the next producer with the same id
// finds out, so the caller closes this one.
func (p *Producer) Commit(ctx context.Context, records []OutRecord) error {
	if err := p.cl.ProduceSync(ctx, libraryRecords(records)...).FirstErr(); err != nil {
		return newError("complete a transaction as", p.transactionalID, err)
	}
	return newError("commit a transaction as", p.transactionalID, p.cl.EndTransaction(ctx, kgo.TryCommit))
}

// Abort ends the open transaction so that nothing of it counts. The batches produced before must be decided.
func (p *Producer) Abort(ctx context.Context) error {
	return newError("abort a transaction as", p.transactionalID, p.cl.EndTransaction(ctx, kgo.TryAbort))
}
