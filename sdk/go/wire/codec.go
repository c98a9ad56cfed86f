package wire

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Codec is the gRPC codec of the plugin connection. Frames of the protocol use
// the generated fast path (one buffer, no reflection, `bytes` fields aliasing
// the received buffer); other messages (health, go-plugin's controller) use
// plain protobuf. On the wire both are ordinary protobuf, so a plugin in
// another language needs nothing special.
//
// A received message owns its buffer: slices taken from it stay valid as long
// as they are referenced. Nothing is reused behind the reader's back.
type Codec struct{}

var _ encoding.CodecV2 = Codec{}

type fastMarshaler interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

type fastUnmarshaler interface {
	UnmarshalVTUnsafe([]byte) error
}

// Name is the content subtype; it replaces the stock codec on this connection only.
func (Codec) Name() string { return "proto" }

// Marshal encodes v. The buffer returns to its pool once gRPC has written it,
// so the message may be reused when SendMsg has returned.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case fastMarshaler:
		size := m.SizeVT()
		if mem.IsBelowBufferPoolingThreshold(size) {
			buf := make([]byte, size)
			if _, err := m.MarshalToSizedBufferVT(buf); err != nil {
				return nil, fmt.Errorf("encode %T: %w", v, err)
			}
			return mem.BufferSlice{mem.SliceBuffer(buf)}, nil
		}
		buf := frames.Get(size)
		if _, err := m.MarshalToSizedBufferVT((*buf)[:size]); err != nil {
			frames.Put(buf)
			return nil, fmt.Errorf("encode %T: %w", v, err)
		}
		return mem.BufferSlice{mem.NewBuffer(buf, frames)}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", v, err)
		}
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return nil, fmt.Errorf("encode %T: not a protobuf message", v)
}

// Unmarshal decodes into v, whose bytes alias one buffer that v owns from then on.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case fastUnmarshaler:
		if err := m.UnmarshalVTUnsafe(data.Materialize()); err != nil {
			return fmt.Errorf("decode %T: %w", v, err)
		}
		return nil
	case proto.Message:
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		if err := proto.Unmarshal(buf.ReadOnlyData(), m); err != nil {
			return fmt.Errorf("decode %T: %w", v, err)
		}
		return nil
	}
	return fmt.Errorf("decode %T: not a protobuf message", v)
}

// framePool keeps a few send buffers. grpc's default pool jumps from 32 KiB to
// 1 MiB and clears what it hands out; a frame just above 1 MiB would be
// allocated anew every time.
type framePool struct {
	pool sync.Pool
}

var frames = &framePool{}

// Get returns a buffer of the length asked for, with unspecified content.
func (p *framePool) Get(length int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		if cap(*b) >= length {
			*b = (*b)[:length]
			return b
		}
		p.pool.Put(b)
	}
	const step = 64 << 10
	b := make([]byte, length, (length+step-1)/step*step)
	return &b
}

// Put takes a buffer back.
func (p *framePool) Put(b *[]byte) {
	if cap(*b) > MaxMessageBytes {
		return
	}
	p.pool.Put(b)
}
