package router

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shelf is a map from strings that is never changed: with and without return another one, which shares with it all but the part that the key is in. So a
// change among ten thousand entries costs what one among forty does. Make one with newShelf.
type shelf[V any] struct {
	seed  maphash.Seed
	parts [256]map[string]V
}

func newShelf[V any]() *shelf[V] { return &shelf[V]{seed: maphash.MakeSeed()} }

// get returns the zero value for a key that is not there.
func (s *shelf[V]) get(key []byte) V {
	return s.parts[maphash.Bytes(s.seed, key)%uint64(len(s.parts))][string(key)]
}

func (s *shelf[V]) with(key string, v V) *shelf[V] {
	return s.edit(key, func(part map[string]V) { part[key] = v })
}

func (s *shelf[V]) without(key string) *shelf[V] {
	return s.edit(key, func(part map[string]V) { delete(part, key) })
}

func (s *shelf[V]) edit(key string, change func(part map[string]V)) *shelf[V] {
	next := *s
	part := &next.parts[maphash.String(s.seed, key)%uint64(len(s.parts))]
	if *part = maps.Clone(*part); *part == nil {
		*part = make(map[string]V)
	}
	change(*part)
	return &next
}

// values are in no order.
func (s *shelf[V]) values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, part := range s.parts {
			for _, v := range part {
				if !yield(v) {
					return
				}
			}
		}
	}
}
