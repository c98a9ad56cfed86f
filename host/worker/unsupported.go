package worker

import (
	"errors"

	"github.com/tailrace/tailrace/host/config"
)

// supported refuses settings that mean something to Kafka Connect and would be
// ignored here: a guarantee that is not kept is worse than a connector that does not start.
func supported(c *config.Connector) error {
	switch {
	case c.Source != nil && c.Source.ExactlyOnceRequired:
		return errors.New("exactly.once.support=required: this version delivers at least once; remove the key")
	}
	return nil
}
