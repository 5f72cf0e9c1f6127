package router

import "sync"

// memorySize is enough for what a connection has in hand at once: a usual header section and a small body.
const memorySize = 16 << 10

// memory is what buffers are made of while they hold something.
var memory = sync.Pool{New: func() any { return new([memorySize]byte) }}

// takeMemory returns an empty slice over memory that giveMemory takes back.
func takeMemory() []byte { return memory.Get().(*[memorySize]byte)[:0] }

// giveMemory takes what takeMemory returned; a slice that has grown meanwhile is left to the garbage collector.
func giveMemory(b []byte) {
	if cap(b) == memorySize {
		memory.Put((*[memorySize]byte)(b[:memorySize]))
	}
}

// buffer is what was received and not used yet. It holds no memory while it is empty.
type buffer struct {
	mem  []byte // from the pool unless it has grown; nil if there is none
	r, w int    // mem[r:w] is unused yet
}

func (b *buffer) bytes() []byte { return b.mem[b.r:b.w] }
func (b *buffer) len() int      { return b.w - b.r }

// free is where more can be received.
func (b *buffer) free() []byte {
	if b.mem == nil {
		b.mem = takeMemory()[:memorySize-chunkFraming]
	}
	return b.mem[b.w:]
}

// tidy gives the memory back if everything is used.
func (b *buffer) tidy() {
	if b.r == b.w {
		b.drop()
	}
}

// compact moves what is unused to the front.
func (b *buffer) compact() {
	b.w = copy(b.mem, b.bytes())
	b.r = 0
}

// drop empties the buffer.
func (b *buffer) drop() {
	if b.mem != nil {
		giveMemory(b.mem)
	}
	*b = buffer{}
}

// shrink moves what little is unused to as little memory: it may have to wait long for more.
func (b *buffer) shrink() {
	const little = 1 << 10
	if b.mem == nil || b.len() > little || cap(b.mem) < memorySize {
		return
	}
	small := buffer{mem: make([]byte, 2*little)}
	small.w = copy(small.mem, b.bytes())
	giveMemory(b.mem)
	*b = small
}

// room makes place for at least one more byte. It is only called where there are never more bytes than some limit.
func (b *buffer) room() {
	switch {
	case b.mem == nil || b.w < len(b.mem):
	case b.r > 0:
		b.compact()
	default:
		larger := make([]byte, 2*len(b.mem))
		copy(larger, b.mem)
		giveMemory(b.mem)
		b.mem = larger
	}
}
