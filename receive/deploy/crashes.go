package deploy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"boathook/runner"
)

// settled is how long a container must have run for its next end to count as the first again; the engines start their backoff anew
// after the same time.
const settled = 10 * time.Second

// slot is a place in the formation of a live release; one container after another may fill it.
type slot struct {
	runner.Group
	number int
}

func slotOf(i runner.Instance) slot { return slot{i.Group, i.Number} }

func (s slot) name() string { return fmt.Sprintf("%s-%d", s.Type, s.number) }

// crashes remembers what became of each slot's containers. It lives as long as this process: the next boathook tries anew.
type crashes struct {
	limit int // in a row; then a slot is given up

	mu    sync.Mutex // guards slots and the fields of each
	slots map[slot]*history
}

type history struct {
	id       string // of the container seen last
	restarts int    // by the engine
	started  time.Time
	row      int       // crashes in a row
	gaveUp   time.Time // zero: not
}

func newCrashes(limit int) *crashes { return &crashes{limit: limit, slots: map[slot]*history{}} }

// see notes how a container fares and returns how many crashes in a row there have been, and whether that is too many.
func (c *crashes) see(i runner.Instance, now time.Time) (row int, tooMany bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.slots[slotOf(i)]
	if h == nil {
		h = &history{id: i.ID, restarts: i.Restarts, started: i.Started}
		c.slots[slotOf(i)] = h
	}
	if h.id != i.ID { // a replacement for one that ended
		h.id, h.restarts, h.row = i.ID, 0, h.row+1
	}
	if ended := i.Restarts - h.restarts; ended > 0 {
		if !h.started.IsZero() && now.Sub(h.started) >= settled {
			h.row = 0
		}
		h.row += ended
	}
	h.restarts, h.started = i.Restarts, i.Started
	if i.Phase == runner.Running && now.Sub(i.Started) >= settled {
		h.row = 0
	}
	return h.row, h.row >= c.limit
}

// giveUp notes that a slot stays empty.
func (c *crashes) giveUp(s slot, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.slots[s]; h != nil {
		h.gaveUp = now
	}
}

// gaveUp tells since when a slot is given up; zero if it is not.
func (c *crashes) gaveUp(s slot) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.slots[s]; h != nil {
		return h.gaveUp
	}
	return time.Time{}
}

// given lists the given-up slots of a release, by type and number.
func (c *crashes) given(app, release string) (slots []slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, h := range c.slots {
		if s.App == app && s.Release == release && !h.gaveUp.IsZero() {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Or(strings.Compare(a.Type, b.Type), a.number-b.number) })
	return slots
}

// forget starts over with an app, except for its release keep.
func (c *crashes) forget(app, keep string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.slots {
		if s.App == app && s.Release != keep {
			delete(c.slots, s)
		}
	}
}
