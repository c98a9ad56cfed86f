package worker

import (
	"errors"

	"github.com/tailrace/tailrace/host/config"
)

// supported refuses settings that mean something to Kafka Connect and would be
// ignored here: a guarantee that is not kept is worse than a connector that does not start.
func (w *Worker) supported(c *config.Connector) error {
	if c.Source != nil && c.Source.ExactlyOnceRequired && w.cfg.ExactlyOnce == nil {
		return errors.New("exactly.once.support=required: this worker does not have exactly-once source support enabled; " +
			"set exactly.once.source.support=enabled on every worker of the cluster, or remove the key")
	}
	return nil
}
