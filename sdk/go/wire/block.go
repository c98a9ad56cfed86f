package wire

// block is what both batch builders append to.
type block struct {
	// Block takes the bytes of the record under construction.
	Block []byte
	// mark is where the part under construction begins.
	mark int
}

// part closes a part of a record and returns its length in bytes.
func (b *block) part() uint32 {
	n := len(b.Block) - b.mark
	b.mark = len(b.Block)
	return uint32(n)
}

// Full says that the batch has reached its size.
func (b *block) Full() bool { return len(b.Block) >= TargetBlockBytes }
