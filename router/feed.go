package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
)

// Feed has Routers of other processes do the routing: it takes the same changes as a Router, and passes them on to whoever follows, see
// [Follower]. Set, Rename and Remove do not wait for that; Drain.Swapped does.
//
// A follower whose stream has ended goes on with the table that it has, and comes back for the one of that time, unless it has died. No switch waits
// for it; but as it may have requests under way, Drain.Wait does to the end of its patience.
type Feed struct {
	log     *slog.Logger
	records AccessLog

	mu        sync.Mutex // guards what follows, and each reader's errands and certificates
	number    int64      // of the last change; the empty table is the first
	table     roll
	followers map[*reader]struct{}
}

// NewFeed returns one without routes. records takes what followers tell of the requests to routes with Logged; it may be nil.
func NewFeed(log *slog.Logger, records AccessLog) *Feed {
	return &Feed{log: log, records: records, number: 1, followers: map[*reader]struct{}{}}
}

// roll is the routes in the order in which their apps have come: who comes first has a host that two ask for.
type roll []Route

// set puts a route in the place of its app's or, if that is not empty, of the app former's.
func (r *roll) set(route Route, former string) {
	is := func(app string) func(Route) bool { return func(other Route) bool { return other.App == app } }
	if former != "" && former != route.App {
		*r = slices.DeleteFunc(*r, is(route.App))
	} else {
		former = route.App
	}
	if i := slices.IndexFunc(*r, is(former)); i >= 0 {
		(*r)[i] = route
	} else {
		*r = append(*r, route)
	}
}

func (r *roll) remove(app string) {
	*r = slices.DeleteFunc(*r, func(other Route) bool { return other.App == app })
}

// change is what a follower is told: a JSON object. The first on a stream is a Table.
type change struct {
	Number int64    `json:"number"`          // of the change, from 2; of the last one for a Table
	Table  *[]Route `json:"table,omitempty"` // all there are
	Set    *Route   `json:"set,omitempty"`   // as Router.Set, and with Gone as Router.Rename
	Gone   string   `json:"gone,omitempty"`  // name of an app; without Set as Router.Remove
	Cut    int64    `json:"cut,omitempty"`   // number of a change: as Drain.Close
}

// report is what a follower tells: a JSON object with one of these.
type report struct {
	Swapped      int64         `json:"swapped,omitempty"` // number of a change that its table has
	Drained      int64         `json:"drained,omitempty"` // number of a change whose Drain is over
	Record       *Record       `json:"record,omitempty"`  // of a request to a route with Logged
	Certificates *certificates `json:"certificates,omitempty"`
}

// certificates is how a follower that serves HTTPS fares with those that it keeps, by host; all of them each time.
type certificates struct {
	ACME  bool                       `json:"acme"`
	Hosts map[string]certificateWord `json:"hosts"`
}

// reader is the feed's end of a stream.
type reader struct {
	changes *mailbox[change]
	leave   context.CancelCauseFunc

	errands      map[int64]*errand // changes that are not drained, by number
	certificates *certificates     // nil: none were told of
}

// errand is a change on its way to one follower.
type errand struct {
	feed             *Feed
	number           int64
	by               *reader
	swapped, drained chan struct{} // closed when it has done so; swapped also when it has gone
}

// slowest is how many changes a follower may be behind.
const slowest = 1000

var (
	errSlow   = errors.New("it does not take the changes of the table")
	errSilent = errors.New("it does not follow")
)

// Set implements what Router.Set does.
func (f *Feed) Set(route Route) *Drain {
	route = route.clone()
	return f.publish(change{Set: &route})
}

// Rename implements what Router.Rename does.
func (f *Feed) Rename(from string, route Route) *Drain {
	route = route.clone()
	return f.publish(change{Set: &route, Gone: from})
}

// Remove implements what Router.Remove does.
func (f *Feed) Remove(app string) *Drain { return f.publish(change{Gone: app}) }

// publish makes a change and passes it on.
func (f *Feed) publish(c change) *Drain {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	c.Number = f.number
	if c.Set != nil {
		f.table.set(*c.Set, c.Gone)
	} else {
		f.table.remove(c.Gone)
	}
	d := &Drain{}
	for r := range f.followers {
		if e := f.tell(r, c); e != nil {
			d.errands = append(d.errands, e)
		}
	}
	return d
}

// tell gives a follower an errand; nil if it is too slow and has been sent away. f.mu is held.
func (f *Feed) tell(r *reader, c change) *errand {
	if r.changes.put(c) > slowest {
		f.dismiss(r, errSlow)
		return nil
	}
	e := &errand{f, c.Number, r, make(chan struct{}), make(chan struct{})}
	r.errands[c.Number] = e
	return e
}

// Serve passes the table and its changes on to a follower, until ctx ends or the stream does; the caller closes the stream then, which ends
// the goroutine that reads from it. A follower that is too slow is sent away.
func (f *Feed) Serve(ctx context.Context, stream io.ReadWriter) error {
	ctx, leave := context.WithCancelCause(ctx)
	r := f.join(leave)
	f.log.Info("a router follows")
	go func() { f.listen(r, stream) }()
	encoder := json.NewEncoder(stream)
	err := r.changes.sendAll(ctx, func(c change) error { return encoder.Encode(c) })
	f.mu.Lock()
	f.dismiss(r, err)
	others := len(f.followers)
	f.mu.Unlock()
	f.log.Info("a router has gone", "others", others, "err", context.Cause(ctx))
	return context.Cause(ctx)
}

// join makes a follower known; it gets the table first.
func (f *Feed) join(leave context.CancelCauseFunc) *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &reader{changes: newMailbox[change](), leave: leave, errands: map[int64]*errand{}}
	table := slices.Clone([]Route(f.table))
	if table == nil {
		table = []Route{} // an empty table is one too
	}
	f.tell(r, change{Number: f.number, Table: &table})
	f.followers[r] = struct{}{}
	return r
}

// dismiss forgets a follower. f.mu is held.
func (f *Feed) dismiss(r *reader, why error) {
	r.leave(why)
	delete(f.followers, r)
	for _, e := range r.errands {
		e.swap()
	}
	clear(r.errands)
}

// listen takes the reports of a follower.
func (f *Feed) listen(r *reader, stream io.Reader) {
	for decoder := json.NewDecoder(stream); ; {
		var told report
		if err := decoder.Decode(&told); err != nil {
			r.leave(fmt.Errorf("reports of a router: %w", err))
			return
		}
		if told.Record != nil {
			if f.records != nil && f.records.Enabled() {
				f.records.Log(told.Record)
			}
			continue
		}
		f.take(r, told)
	}
}

func (f *Feed) take(r *reader, told report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if told.Certificates != nil {
		r.certificates = told.Certificates
	}
	if e := r.errands[told.Swapped]; e != nil {
		e.swap()
	}
	if e := r.errands[told.Drained]; e != nil {
		e.end()
	}
}

// Followers is how many follow.
func (f *Feed) Followers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.followers)
}

// Followed returns once all who follow have the table that there is now. It sends away who does not have it when ctx ends.
func (f *Feed) Followed(ctx context.Context) error {
	f.mu.Lock()
	d := &Drain{}
	for r := range f.followers {
		for _, e := range r.errands {
			d.errands = append(d.errands, e)
		}
	}
	f.mu.Unlock()
	return d.Swapped(ctx)
}

// Certificate tells how a follower fares with the certificate of a host, and whether it asks an authority for any; served is whether any follower
// serves HTTPS.
func (f *Feed) Certificate(host string) (is CertificateState, acme, served bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.followers {
		if r.certificates == nil {
			continue
		}
		served, acme = true, acme || r.certificates.ACME
		if word, ok := r.certificates.Hosts[hostKey(host)]; ok {
			return word.state(), r.certificates.ACME, true
		}
	}
	return is, acme, served
}

// swap is called with the feed's mu held.
func (e *errand) swap() {
	select {
	case <-e.swapped:
	default:
		close(e.swapped)
	}
}

// end is called with the feed's mu held, once.
func (e *errand) end() {
	e.swap()
	close(e.drained)
	delete(e.by.errands, e.number)
}

// cut has the follower cut off what is left.
func (e *errand) cut() {
	select {
	case <-e.drained:
	default:
		e.by.changes.put(change{Cut: e.number})
	}
}

// giveUp sends the follower away if it has not swapped, and tells whether it was so.
func (e *errand) giveUp() bool {
	select {
	case <-e.swapped:
		return false
	default:
	}
	e.feed.log.Error("a router is not waited for any more", "err", errSilent)
	e.feed.mu.Lock()
	defer e.feed.mu.Unlock()
	e.feed.dismiss(e.by, errSilent)
	return true
}
