package router

import (
	"context"
	"sync"
)

// mailbox is what some leave for one to send, in order. The one who leaves something never waits.
type mailbox[T any] struct {
	wake chan struct{} // holds a token when there may be letters

	mu      sync.Mutex // guards letters
	letters []T
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{wake: make(chan struct{}, 1)} }

// put returns how many letters wait now.
func (m *mailbox[T]) put(letter T) (waiting int) {
	m.mu.Lock()
	m.letters = append(m.letters, letter)
	waiting = len(m.letters)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return waiting
}

func (m *mailbox[T]) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.letters)
}

// sendAll sends what is put until ctx ends or sending fails, and returns why.
func (m *mailbox[T]) sendAll(ctx context.Context, send func(T) error) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.wake:
		}
		m.mu.Lock()
		letters := m.letters
		m.letters = nil
		m.mu.Unlock()
		for _, letter := range letters {
			if err := send(letter); err != nil {
				return err
			}
		}
	}
}
