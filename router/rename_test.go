package router_test

import (
	"net/http"
	"testing"

	"boathook/router"
)

// TestRename gives a route to an app of another name: the host that both have goes over at one instant, whoever else asks for it, the others
// come and go with it, and a request in flight is answered.
func TestRename(t *testing.T) { onBothPaths(t, testRename) }

func testRename(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	arrived, proceed := make(chan bool), make(chan bool)
	old := route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-proceed
		_, _ = w.Write([]byte("old"))
	}))
	old.Hosts = append(old.Hosts, "www.test")
	f.Set(old)
	f.Set(router.Route{App: "aaa", Release: "2", Hosts: []string{"www.test"}, Serving: true, Targets: []router.Target{app(t, "web-1", says("aaa"))}})
	done := make(chan outcome, 1)
	go func() {
		got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
		done <- outcome{got, err}
	}()
	<-arrived
	next := route(app(t, "web-1", says("new")))
	next.App, next.Hosts = "store", []string{"store.test", "www.test"}
	drain := f.Rename("shop", next)
	for host, want := range map[string]string{"store.test": "new", "www.test": "new"} {
		if got := f.get("/", func(r *http.Request) { r.Host = host }); got.body != want {
			t.Errorf("%s: %d %q, want %q", host, got.status, got.body, want)
		}
	}
	if got := f.get("/"); got.status != http.StatusNotFound {
		t.Errorf("the old host: %d %q", got.status, got.body)
	}
	if drain.InFlight() != 1 {
		t.Errorf("%d requests in flight", drain.InFlight())
	}
	close(proceed)
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-done; got.err != nil || got.body != "old" {
		t.Errorf("request in flight: %q, %v", got.body, got.err)
	}
	if routes := f.Routes(); len(routes) != 2 || routes[0].App != "aaa" || routes[1].App != "store" {
		t.Errorf("Routes() = %v", routes)
	}
}
