package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// queue lets one deployment per app in, and at most limit per owner, in the order of arrival.
type queue struct {
	limit int

	mu      sync.Mutex // guards tickets and the fields of each
	tickets []*ticket  // in order of arrival, those inside included
}

type ticket struct {
	app, owner, name string
	inside           bool
	turn             chan struct{} // closed when inside becomes true
	news             chan string   // the newest line about the place, at most one
	told             string
}

func newQueue(limit int) *queue { return &queue{limit: limit} }

// enter waits until the ticket's turn has come. While it waits, say is told whom it waits for and at which
// place, whenever that changes. leave must be called once, also after an error of what follows.
func (q *queue) enter(ctx context.Context, app, owner, name string, say func(string)) (leave func(), err error) {
	t := &ticket{app: app, owner: owner, name: name, turn: make(chan struct{}), news: make(chan string, 1)}
	q.mu.Lock()
	q.tickets = append(q.tickets, t)
	q.advance()
	q.mu.Unlock()
	for {
		select {
		case <-t.turn:
			return func() { q.leave(t) }, nil
		case line := <-t.news:
			say(line)
		case <-ctx.Done():
			q.leave(t)
			return nil, context.Cause(ctx)
		}
	}
}

// try lets somebody in at once if nobody has or waits for the app.
func (q *queue) try(app, owner, name string) (leave func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.ContainsFunc(q.tickets, func(other *ticket) bool { return other.app == app }) {
		return nil, false
	}
	t := &ticket{app: app, owner: owner, name: name, inside: true, turn: make(chan struct{}), news: make(chan string, 1)}
	q.tickets = append(q.tickets, t)
	return func() { q.leave(t) }, true
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tickets) == 0
}

func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tickets = slices.DeleteFunc(q.tickets, func(other *ticket) bool { return other == t })
	q.advance()
}

// advance lets in whom it may and tells the others where they stand. q.mu is held.
func (q *queue) advance() {
	inside := map[string]int{}
	for _, t := range q.tickets {
		if t.inside {
			inside[t.owner]++
		}
	}
	ahead := map[string][]*ticket{} // by app
	for _, t := range q.tickets {
		if !t.inside {
			switch before := ahead[t.app]; {
			case len(before) > 0:
				t.tell(fmt.Sprintf("Waiting for %s to finish, place %d in the queue of %s...", before[0].name, len(before), t.app))
			case inside[t.owner] >= q.limit:
				t.tell(fmt.Sprintf("Waiting for one of %d running deployments to finish...", inside[t.owner]))
			default:
				t.inside = true
				inside[t.owner]++
				close(t.turn)
			}
		}
		ahead[t.app] = append(ahead[t.app], t)
	}
}

func (t *ticket) tell(line string) {
	if line == t.told {
		return
	}
	t.told = line
	select {
	case <-t.news: // an older line nobody took
	default:
	}
	t.news <- line
}
