package wire

import "time"

// The protocol's constants: proto/tailrace/plugin/v1/plugin.proto is their
// specification.
const (
	// ProtocolMajor is go-plugin's application version.
	ProtocolMajor = 1
	// MagicCookieKey and MagicCookieValue are the environment variable that
	// tells a plugin that a host started it.
	MagicCookieKey   = "TAILRACE_PLUGIN"
	MagicCookieValue = "6f1d1a8e-connect"
	// KeepAliveFDKey names the descriptor whose end of file means that the host is gone.
	KeepAliveFDKey = "TAILRACE_KEEPALIVE_FD"

	// MaxFrameBytes is the hard limit of a frame; TargetBlockBytes is where
	// a builder closes a batch.
	MaxFrameBytes    = 4 << 20
	TargetBlockBytes = 1 << 20
	// MaxMessageBytes is what both gRPC ends must be set to receive: a frame
	// plus its envelope, with room for one record that fills a frame alone.
	MaxMessageBytes = 8 << 20
	// MaxSchemas and MaxPartitions bound the dictionaries of one stream.
	MaxSchemas    = 10_000
	MaxPartitions = 100_000
	// MaxSchemaBytes, MaxPartitionBytes and MaxOffsetBytes bound single entries.
	MaxSchemaBytes    = 1 << 20
	MaxPartitionBytes = 64 << 10
	MaxOffsetBytes    = 64 << 10
	// MaxErrorMessageBytes and MaxErrorTraceBytes: longer texts are cut.
	MaxErrorMessageBytes = 4 << 10
	MaxErrorTraceBytes   = 64 << 10
	// RecordOverheadBytes is what a record costs beyond its bytes in the
	// block when credit is counted.
	RecordOverheadBytes = 64

	// HeartbeatInterval is how often a running connector or task shows
	// that it lives; SilenceLimit is when the host starts to doubt it.
	HeartbeatInterval = 2 * time.Second
	SilenceLimit      = 10 * time.Second
)

// BatchCost is what a batch of count records takes from the credit.
func BatchCost(blockBytes, count int) int64 {
	return int64(blockBytes) + int64(count)*RecordOverheadBytes
}
