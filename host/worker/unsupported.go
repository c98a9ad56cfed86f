package worker

import (
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/host/config"
)

// supported refuses settings that mean something to Kafka Connect and would be
// ignored here: a record that was not transformed, or a lost dead letter, is
// worse than a connector that does not start.
func supported(c *config.Connector) error {
	switch {
	case len(c.Transforms) > 0:
		return fmt.Errorf("transforms: this version has no transforms; remove the key (it names %s)", c.Transforms[0].Alias)
	case c.Errors.DLQ != nil:
		return errors.New("errors.deadletterqueue.topic.name: this version writes no dead letters; remove the key, or set errors.tolerance=none so that nothing is skipped")
	case c.Source != nil && c.Source.ExactlyOnceRequired:
		return errors.New("exactly.once.support=required: this version delivers at least once; remove the key")
	}
	return nil
}
