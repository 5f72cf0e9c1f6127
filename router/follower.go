package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// Follower has a Router do what a [Feed] says, and go on with its last table while none says anything. It keeps that table in a file, so
// that it has one when it starts alone.
type Follower struct {
	Router *Router // to be served; only the follower changes its table
	file   string
	boot   string // when this machine was started: the addresses of an earlier time are worth nothing
	log    *slog.Logger

	known  chan struct{}         // closed once there is a table
	logged atomic.Pointer[group] // apps whose records the feed wants; nil: none

	changed chan struct{} // holds a token when the table is to be kept
	keeping sync.WaitGroup
	writing sync.Mutex // orders the writers of the file; taken before mu

	mu      sync.Mutex // guards what follows
	table   roll
	learned sync.Once
	reports *mailbox[report] // to the feed; nil while there is no stream
	lost    int              // records that no feed has been told of
}

// group is a set of apps.
type group map[string]bool

// keptTable is what the file holds, as JSON: readable for its owner only, as certificates come with their keys.
type keptTable struct {
	Boot   string  `json:"boot"`
	Routes []Route `json:"routes"`
}

// mostRecords is how many records may wait for the feed.
const mostRecords = 10_000

// NewFollower returns one with the table of the file, if that is of this start of the machine. cfg.AccessLog takes the records of all requests;
// the feed gets those of the routes with Logged as well. Close it after use.
func NewFollower(cfg Config, file, boot string) *Follower {
	f := &Follower{file: file, boot: boot, known: make(chan struct{}), changed: make(chan struct{}, 1)}
	cfg.AccessLog = followerLog{f, cfg.AccessLog}
	f.Router = New(cfg)
	f.log = f.Router.cfg.Log
	f.Router.ignorant.Store(true)
	if err := f.load(); err != nil {
		f.log.Error("last table not usable", "err", err)
	}
	f.keeping.Go(f.keep)
	return f
}

// load takes the table from the file, if there is one.
func (f *Follower) load() error {
	text, err := os.ReadFile(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept keptTable
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err == nil && kept.Boot == f.boot {
		f.replace(kept.Routes)
	}
	return err
}

// Known is closed once there is a table. Until then requests get 503.
func (f *Follower) Known() <-chan struct{} { return f.known }

// Follow does what the feed at the other end of the stream says, until the stream ends. The caller closes it when ctx ends.
func (f *Follower) Follow(ctx context.Context, stream io.ReadWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	reports := f.begin()
	defer f.end()
	work.Go(func() {
		encoder := json.NewEncoder(stream)
		_ = reports.sendAll(ctx, func(r report) error { return encoder.Encode(r) }) // a broken stream shows in what is read
	})
	work.Go(func() { f.tellCertificates(ctx, reports) })
	drains := map[int64]*Drain{} // of this stream's changes; those that are over are found out at the next one
	for decoder := json.NewDecoder(stream); ; {
		var c change
		if err := decoder.Decode(&c); err != nil {
			return fmt.Errorf("changes of the table: %w", err)
		}
		if c.Cut != 0 {
			if d := drains[c.Cut]; d != nil {
				d.Close()
			}
			continue
		}
		maps.DeleteFunc(drains, func(_ int64, d *Drain) bool { return d.over() })
		drain := f.apply(c)
		drains[c.Number] = drain
		reports.put(report{Swapped: c.Number})
		work.Go(func() {
			if drain.Wait(ctx) == nil {
				reports.put(report{Drained: c.Number})
			}
		})
	}
}

// begin opens the way for reports, which end closes.
func (f *Follower) begin() *mailbox[report] {
	reports := newMailbox[report]()
	f.mu.Lock()
	lost := f.lost
	f.reports, f.lost = reports, 0
	f.mu.Unlock()
	if lost > 0 {
		f.log.Warn("requests are missing in the apps' logs", "requests", lost)
	}
	return reports
}

func (f *Follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports = nil
}

// apply makes a change of the table.
func (f *Follower) apply(c change) *Drain {
	if c.Table != nil {
		f.log.Info("following boathook", "apps", len(*c.Table))
		return f.replace(*c.Table)
	}
	f.mu.Lock()
	if c.Set != nil {
		f.table.set(*c.Set, c.Gone)
	} else {
		f.table.remove(c.Gone)
	}
	f.mu.Unlock()
	defer f.learn()
	switch {
	case c.Set == nil:
		return f.Router.Remove(c.Gone)
	case c.Gone != "":
		return f.Router.Rename(c.Gone, *c.Set)
	}
	return f.Router.Set(*c.Set)
}

// replace makes the routes all there are. The Drain covers whatever they do not have.
func (f *Follower) replace(routes []Route) *Drain {
	f.mu.Lock()
	f.table = routes
	f.mu.Unlock()
	defer f.learn()
	return f.Router.replace(routes)
}

// learn does what follows from a change of the table.
func (f *Follower) learn() {
	f.mu.Lock()
	logged := group{}
	for _, route := range f.table {
		if route.Logged {
			logged[route.App] = true
		}
	}
	f.mu.Unlock()
	if len(logged) > 0 {
		f.logged.Store(&logged)
	} else {
		f.logged.Store(nil)
	}
	f.Router.ignorant.Store(false)
	f.learned.Do(func() { close(f.known) })
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// keep writes the table to the file whenever it has changed, until Close.
func (f *Follower) keep() {
	for range f.changed {
		if err := f.Keep(); err != nil {
			f.log.Error("table not kept", "err", err)
		}
	}
}

// Keep writes the table to the file. That is done after each change as well, but nobody waits for it there: who starts another Follower with the same
// file calls this before.
func (f *Follower) Keep() error {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	kept := keptTable{f.boot, append([]Route{}, f.table...)}
	f.mu.Unlock()
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(f.file, text, 0o600)
}

// Close stops following, which has ended before, and closes the Router.
func (f *Follower) Close() error {
	close(f.changed)
	f.keeping.Wait()
	return f.Router.Close()
}

// tellCertificates reports on the certificates that are kept, whenever something about them has changed.
func (f *Follower) tellCertificates(ctx context.Context, reports *mailbox[report]) {
	if f.Router.keeper == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for before := int64(-1); ; {
		if now := f.Router.keeper.changes.Load(); now != before {
			before = now
			reports.put(report{Certificates: &certificates{f.Router.keeper.issuer != nil, f.Router.keeper.words()}})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// followerLog carries records to the feed, as long as not too many wait, and to another log.
type followerLog struct {
	follower *Follower
	all      AccessLog // may be nil
}

// Enabled implements AccessLog.
func (l followerLog) Enabled() bool {
	return l.follower.logged.Load() != nil || l.all != nil && l.all.Enabled()
}

// Log implements AccessLog.
func (l followerLog) Log(r *Record) {
	if l.all != nil && l.all.Enabled() {
		l.all.Log(r)
	}
	if logged := l.follower.logged.Load(); logged != nil && (*logged)[r.App] {
		l.follower.tell(*r)
	}
}

// tell leaves a record for the feed; one for which there is no room or no stream is counted.
func (f *Follower) tell(r Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reports == nil || f.reports.len() >= mostRecords {
		f.lost++
		return
	}
	f.reports.put(report{Record: &r})
}
