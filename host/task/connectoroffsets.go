package task

import "context"

// OffsetReader returns how a connector (not a task) reads its stored source
// offsets: partitions and offsets are values without a schema in wire form, an
// offset is empty where nothing is stored. It may be called from any goroutine.
func OffsetReader(connector string, s OffsetStore) func(ctx context.Context, partitions [][]byte) ([][]byte, error) {
	return newOffsetBook(connector, s).read
}
