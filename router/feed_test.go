package router_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// branch is a router that follows a feed, behind its real server.
type branch struct {
	*front
	follower *router.Follower
}

// newBranch makes one with its table in a file, of a boot of the machine.
func newBranch(t *testing.T, file, boot string) *branch {
	t.Helper()
	f := router.NewFollower(router.Config{}, file, boot)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return &branch{frontOf(t, fast, f.Router), f}
}

func aFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "table.json")
}

// follow connects the branch to the feed until the returned function is called.
func (b *branch) follow(feed *router.Feed) (leave func()) {
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(b.t.Context())
	var ends sync.WaitGroup
	ends.Go(func() {
		if err := feed.Serve(ctx, ours); err == nil {
			b.t.Error("Serve says not why it has ended")
		}
		_ = ours.Close()
	})
	ends.Go(func() {
		if err := b.follower.Follow(ctx, theirs); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			b.t.Errorf("Follow = %v", err)
		}
		_ = theirs.Close()
	})
	leave = sync.OnceFunc(func() {
		cancel()
		_ = theirs.Close()
		ends.Wait()
	})
	b.t.Cleanup(leave)
	return leave
}

func newFeed() *router.Feed { return router.NewFeed(slog.New(slog.DiscardHandler), nil) }

// swapped waits as a deployment does.
func swapped(t *testing.T, drain *router.Drain) {
	t.Helper()
	if err := drain.Swapped(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestFeed has two routers follow: what was taken out gets no request once Swapped has returned, requests under way are waited for by Wait, and cut off by
// Close.
func TestFeed(t *testing.T) {
	feed := newFeed()
	branches := []*branch{newBranch(t, aFile(t), ""), newBranch(t, aFile(t), "")}
	arrived, proceed := make(chan bool), make(chan bool)
	old := func(w http.ResponseWriter, r *http.Request) {
		arrived <- true
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "old")
	}
	drain := feed.Set(route(app(t, "web-1", old))) // before anybody follows
	swapped(t, drain)
	outcomes := make(chan outcome, 2)
	for _, b := range branches {
		b.follow(feed)
		<-b.follower.Known()
		go func() {
			got, err := send(http.DefaultClient, b.request(t.Context(), "GET", "/", nil))
			outcomes <- outcome{got, err}
		}()
		<-arrived
	}
	next := route(app(t, "web-1", says("new")))
	next.Release = "2"
	drain = feed.Set(next)
	swapped(t, drain)
	for _, b := range branches {
		if got := b.get("/"); got.body != "new" {
			t.Errorf("after the switch: %q", got.body)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := drain.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v with requests under way", err)
	}
	proceed <- true
	if got := <-outcomes; got.err != nil || got.body != "old" {
		t.Errorf("request under way: %q, %v", got.body, got.err)
	}
	if err := drain.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v with a request under way at one of them", err)
	}
	drain.Close()
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-outcomes; got.err != nil || got.reason() != "version replaced" {
		t.Errorf("request cut off: %d %q, %v", got.status, got.reason(), got.err)
	}
}

// TestFeedChanges compares the followers' routes after each kind of change, of one who was there and of one who comes then.
func TestFeedChanges(t *testing.T) {
	feed := newFeed()
	there := newBranch(t, aFile(t), "")
	there.follow(feed)
	<-there.follower.Known()
	named := func(app, host string) router.Route {
		r := route(router.Target{Name: "web-1", Addr: "127.0.0.1:1"})
		r.App, r.Hosts = app, []string{host}
		r.Certificates = []router.Certificate{{Host: host, Chain: "chain", Key: "key"}}
		r.Maintenance, r.MaintenancePage, r.Logged, r.Canonical = true, "<p>"+app, true, host
		return r
	}
	shop, thief := named("shop", "shop.test"), named("thief", "shop.test")
	store := named("store", "shop.test")
	for _, step := range []struct {
		name string
		do   func() *router.Drain
		want []router.Route // by name
		has  string         // the app that has the host
	}{
		{"set", func() *router.Drain { return feed.Set(shop) }, []router.Route{shop}, "shop"},
		{"set another", func() *router.Drain { return feed.Set(thief) }, []router.Route{shop, thief}, "shop"},
		{"set again", func() *router.Drain { return feed.Set(shop) }, []router.Route{shop, thief}, "shop"},
		{"rename", func() *router.Drain { return feed.Rename("shop", store) }, []router.Route{store, thief}, "store"},
		{"remove", func() *router.Drain { return feed.Remove("store") }, []router.Route{thief}, "thief"},
		{"remove what is not there", func() *router.Drain { return feed.Remove("shop") }, []router.Route{thief}, "thief"},
		{"remove the last", func() *router.Drain { return feed.Remove("thief") }, nil, ""},
	} {
		swapped(t, step.do())
		late := newBranch(t, aFile(t), "")
		leave := late.follow(feed)
		<-late.follower.Known()
		for who, b := range map[string]*branch{"who was there": there, "who comes late": late} {
			if diff := cmp.Diff(step.want, b.Routes()); diff != "" {
				t.Errorf("%s: routes of %s (-want +got):\n%s", step.name, who, diff)
			}
			if got := b.get("/"); step.has != "" && got.body != "<p>"+step.has {
				t.Errorf("%s: %s answers for %q, want %s", step.name, who, got.body, step.has)
			}
		}
		leave()
	}
}

// TestFeedReturn has a router go on while its stream is broken, and catch up with what it has missed: what has gone is drained.
func TestFeedReturn(t *testing.T) {
	feed := newFeed()
	b := newBranch(t, aFile(t), "")
	leave := b.follow(feed)
	<-b.follower.Known()
	swapped(t, feed.Set(route(app(t, "web-1", says("old")))))
	swapped(t, feed.Set(router.Route{App: "gone", Release: "1", Hosts: []string{"gone.test"}, Targets: []router.Target{app(t, "web-1", says("gone"))}, Serving: true}))
	leave()
	next := route(app(t, "web-1", says("new")))
	next.Release = "2"
	swapped(t, feed.Set(next)) // waits for nobody
	swapped(t, feed.Remove("gone"))
	if got := b.get("/"); got.body != "old" {
		t.Errorf("without a feed: %d %q", got.status, got.body)
	}
	b.follow(feed)
	eventually(t, "the router has caught up", func() bool { return b.get("/").body == "new" })
	if err := feed.Followed(t.Context()); err != nil {
		t.Error(err)
	}
	if got := b.get("/", func(r *http.Request) { r.Host = "gone.test" }); got.status != 404 {
		t.Errorf("an app that went meanwhile: %d %q", got.status, got.body)
	}
}

// TestFeedSilent: a router that does not answer is waited for once.
func TestFeedSilent(t *testing.T) {
	feed := newFeed()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- feed.Serve(t.Context(), ours) }()
	in := make([]byte, 1)
	if _, err := theirs.Read(in); err != nil { // it has begun to say the table
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := feed.Set(route()).Swapped(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Swapped = %v", err)
	}
	drain := feed.Remove("shop")
	swapped(t, drain)
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	_ = theirs.Close()
	if err := <-served; err == nil {
		t.Error("Serve says not why it has ended")
	}
}

// TestFollowerAlone starts routers with the files of others.
func TestFollowerAlone(t *testing.T) {
	feed := newFeed()
	file := aFile(t)
	first := router.NewFollower(router.Config{}, file, "one")
	b := &branch{frontOf(t, fast, first.Router), first}
	swapped(t, feed.Set(route(app(t, "web-1", says("kept")))))
	leave := b.follow(feed)
	<-first.Known()
	leave()
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	beside := aFile(t)
	if text, err := os.ReadFile(file); err != nil || os.WriteFile(beside, text, 0o600) != nil {
		t.Fatalf("while the first serves: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the table: %v, %v", info, err)
	}
	broken := aFile(t)
	if err := os.WriteFile(broken, []byte(`{"routes": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, file, boot string
		status           int
		word             string
	}{
		{"the same machine", file, "one", 200, "kept"},
		{"while the first serves", beside, "one", 200, "kept"},
		{"started anew", file, "two", 503, "no table"},
		{"no file", aFile(t), "one", 503, "no table"},
		{"broken", broken, "one", 503, "no table"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBranch(t, row.file, row.boot)
			got := b.get("/")
			if got.status != row.status || got.body != row.word && got.reason() != row.word {
				t.Errorf("%d %q %q", got.status, got.reason(), got.body)
			}
			select {
			case <-b.follower.Known():
				if row.status != 200 {
					t.Error("a table is known")
				}
			default:
				if row.status == 200 {
					t.Error("no table is known")
				}
			}
		})
	}
}

// recordings is an access log.
type recordings struct {
	mu  sync.Mutex
	all []router.Record
}

func (r *recordings) Enabled() bool { return true }

func (r *recordings) Log(record *router.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, *record)
}

func (r *recordings) paths() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		all = append(all, one.App+one.Path)
	}
	return all
}

// TestFeedRecords: the feed gets the records of the routes that want it, and no others.
func TestFeedRecords(t *testing.T) {
	log := &recordings{}
	feed := router.NewFeed(slog.New(slog.DiscardHandler), log)
	b := newBranch(t, aFile(t), "")
	b.follow(feed)
	<-b.follower.Known()
	loud := route(app(t, "web-1", says("")))
	quiet := loud
	loud.Logged = true
	quiet.App, quiet.Hosts = "quiet", []string{"quiet.test"}
	ask := func(path string) {
		b.get(path)
		b.get(path, func(r *http.Request) { r.Host = "quiet.test" })
		b.get(path, func(r *http.Request) { r.Host = "nobody.test" })
	}
	swapped(t, feed.Set(quiet))
	swapped(t, feed.Set(loud))
	ask("/1")
	eventually(t, "the first record comes", func() bool { return len(log.paths()) > 0 })
	loud.Logged = false
	swapped(t, feed.Set(loud))
	ask("/2")
	loud.App, loud.Logged, loud.Hosts = "last", true, []string{"last.test"}
	swapped(t, feed.Set(loud))
	b.get("/3", func(r *http.Request) { r.Host = "last.test" })
	eventually(t, "the last record comes", func() bool { return len(log.paths()) > 1 })
	if diff := cmp.Diff([]string{"shop/1", "last/3"}, log.paths()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestFeedUnderLoad switches versions again and again while connections ask a router that follows; its stream breaks now and then. No request fails, none
// on a connection goes back to an older version, and what was drained while the stream was there is asked no more.
func TestFeedUnderLoad(t *testing.T) {
	feed := newFeed()
	b := newBranch(t, aFile(t), "")
	leave := b.follow(feed)
	<-b.follower.Known()
	var live, answered atomic.Int64
	var drained [101]atomic.Bool // by version: its drain was waited for
	version := func(n int64) router.Route {
		r := route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
			if drained[n].Load() {
				t.Errorf("version %d was asked after its drain", n)
			}
			_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
		}))
		r.Release = strconv.FormatInt(n, 10)
		return r
	}
	swapped(t, feed.Set(version(1)))
	live.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 16 {
		ask, hangUp := connectHTTP1(t, b.addr, "GET", "")
		load.Go(func() {
			defer hangUp()
			for newest := int64(0); ctx.Err() == nil; {
				atLeast := max(live.Load(), newest)
				got, err := ask(t.Context())
				if err != nil || got.status != 200 {
					t.Errorf("%d %q, %v", got.status, got.body, err)
					return
				}
				if newest, err = strconv.ParseInt(got.body, 10, 64); err != nil || newest < atLeast {
					t.Errorf("version %q answered when %d had been live, or had answered", got.body, atLeast)
				}
				answered.Add(1)
			}
		})
	}
	for n := int64(2); n <= 100; n++ {
		if n%10 == 0 {
			leave()
			leave = b.follow(feed)
		}
		before := answered.Load()
		drain := feed.Set(version(n))
		swapped(t, drain)
		eventually(t, "the router has the version", func() bool { return b.get("/").body == strconv.FormatInt(n, 10) }) // it may come back just now
		live.Store(n)
		if err := drain.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "requests are answered", func() bool { return answered.Load() > before || t.Failed() })
		if n%10 != 0 { // else it may have been nobody's
			drained[n-1].Store(true)
		}
	}
	stop()
	load.Wait()
	t.Logf("%d requests", answered.Load())
}

// TestFeedLost: a router whose stream ends may have requests under way, which are waited for as long as there is patience.
func TestFeedLost(t *testing.T) {
	feed := newFeed()
	arrived, proceed := make(chan bool), make(chan bool)
	swapped(t, feed.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-proceed
		_, _ = io.WriteString(w, "old")
	}))))
	b := newBranch(t, aFile(t), "")
	leave := b.follow(feed)
	<-b.follower.Known()
	done := make(chan outcome, 1)
	go func() {
		got, err := send(http.DefaultClient, b.request(t.Context(), "GET", "/", nil))
		done <- outcome{got, err}
	}()
	<-arrived
	next := route(app(t, "web-1", says("new")))
	next.Release = "2"
	drain := feed.Set(next)
	swapped(t, drain)
	leave()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := drain.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait = %v", err)
	}
	drain.Close() // tells nobody
	close(proceed)
	if got := <-done; got.err != nil || got.body != "old" {
		t.Errorf("request under way: %q, %v", got.body, got.err)
	}
}
