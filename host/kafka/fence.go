package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fenceTransactionTimeoutMillis is that of transactions that are never begun.
const fenceTransactionTimeoutMillis = 60_000

// FenceProducers makes sure that the producers with these transactional ids, if they still live, write no more, and
// aborts their open transactions. It does what Java's Admin.fenceProducers does: it takes the next epoch of each id.
func (a *Admin) FenceProducers(ctx context.Context, transactionalIDs ...string) error {
	for _, id := range transactionalIDs {
		err := a.coordinated(ctx, func() error { // an open transaction is aborted first, and the broker wants to be asked again
			req := kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID = kmsg.StringPtr(id)
			req.TransactionTimeoutMillis = fenceTransactionTimeoutMillis
			req.ProducerID, req.ProducerEpoch = -1, -1
			resp, err := req.RequestWith(ctx, a.cl)
			if err == nil {
				err = kerr.ErrorForCode(resp.ErrorCode)
			}
			return err
		})
		if err != nil {
			return newError("fence the producer with transactional id", id, err)
		}
	}
	return nil
}
