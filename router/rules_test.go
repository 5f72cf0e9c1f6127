package router_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"boathook/router"
)

// TestRedirects covers force-HTTPS, the canonical domain, and both.
func TestRedirects(t *testing.T) { onBothPaths(t, testRedirects) }

func testRedirects(t *testing.T, on path) {
	hosts := []string{"shop.test", "www.shop.test"}
	for _, test := range []struct {
		name      string
		force     bool
		canonical string
		method    string
		host      string
		proto     string // of a trusted forwarder
		status    int
		location  string
	}{
		{name: "no rule", host: "shop.test", status: 200},
		{name: "force", force: true, host: "shop.test:8080", status: 301, location: "https://shop.test/a?b=c"},
		{name: "force, POST", force: true, method: "POST", host: "shop.test", status: 308, location: "https://shop.test/a?b=c"},
		{name: "force, secure already", force: true, host: "shop.test", proto: "https", status: 200},
		{name: "canonical", canonical: "www.shop.test", host: "shop.test:8080", status: 301, location: "http://www.shop.test:8080/a?b=c"},
		{name: "canonical already", canonical: "WWW.shop.test", host: "www.shop.test.", status: 200},
		{name: "canonical, secure", canonical: "www.shop.test", host: "shop.test", proto: "https", status: 301,
			location: "https://www.shop.test/a?b=c"},
		{name: "both", force: true, canonical: "www.shop.test", host: "shop.test:8080", status: 301,
			location: "https://www.shop.test/a?b=c"},
		{name: "both, on the canonical", force: true, canonical: "www.shop.test", host: "www.shop.test", status: 301,
			location: "https://www.shop.test/a?b=c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFront(t, on, router.Config{Forwarders: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
			r := route(app(t, "web-1", says("shop")))
			r.Hosts, r.ForceHTTPS, r.Canonical = hosts, test.force, test.canonical
			f.Set(r)
			got := f.do(f.request(t.Context(), test.method, "/a?b=c", nil, func(r *http.Request) {
				r.Host = test.host
				if test.proto != "" {
					r.Header.Set("X-Forwarded-Proto", test.proto)
				}
			}))
			if got.status != test.status || got.header.Get("Location") != test.location {
				t.Errorf("%d %q, want %d %q", got.status, got.header.Get("Location"), test.status, test.location)
			}
		})
	}
}

func TestSticky(t *testing.T) { onBothPaths(t, testSticky) }

func testSticky(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	r := route(app(t, "web-1", says("1")), app(t, "web-2", says("2")), app(t, "web-3", says("3")))
	r.Sticky = true
	f.Set(r)
	first := f.get("/")
	cookie, err := http.ParseSetCookie(first.header.Get("Set-Cookie"))
	if err != nil || cookie.Name != "sc-sticky-session" || cookie.MaxAge != 24*60*60 || !cookie.HttpOnly {
		t.Fatal(cookie, err)
	}
	again := func() answer {
		return f.get("/", func(r *http.Request) { r.Header.Set("Cookie", "a=b; "+cookie.Name+"="+cookie.Value+"; c=d") })
	}
	for range 5 {
		if got := again(); got.body != first.body || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q with %q, want %q", got.body, got.header.Get("Set-Cookie"), first.body)
		}
	}
	r.Release, r.Targets = "2", []router.Target{app(t, "web-1", says("1")), refusing(t, "web-2"), refusing(t, "web-3")}
	f.Set(r)
	if got := again(); got.status != 200 || !strings.Contains("1", got.body) {
		t.Errorf("in the next version: %d %q", got.status, got.body)
	}
	r.Release, r.Targets = "3", []router.Target{app(t, "web-4", says("4"))}
	f.Set(r)
	if got := again(); got.body != "4" || got.header.Get("Set-Cookie") == "" {
		t.Errorf("the container is gone: %q with %q", got.body, got.header.Get("Set-Cookie"))
	}
}

func TestWildcard(t *testing.T) { onBothPaths(t, testWildcard) }

func testWildcard(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	wild := router.Route{App: "wild", Release: "1", Hosts: []string{"*.shop.test"}, Serving: true,
		Targets: []router.Target{app(t, "web-1", says("wild"))}}
	f.Set(wild)
	exact := route(app(t, "web-1", says("exact")))
	exact.Hosts = []string{"www.shop.test"}
	f.Set(exact)
	for host, want := range map[string]string{
		"a.shop.test": "wild", "B.Shop.Test.:80": "wild", "www.shop.test": "exact", "WWW.shop.test": "exact",
		"shop.test": "", ".shop.test": "", "a.b.shop.test": "", "ashop.test": "",
	} {
		got := f.get("/", func(r *http.Request) { r.Host = host })
		if want == "" && got.reason() != "unknown host" || want != "" && got.body != want {
			t.Errorf("%s: %d %q, want %q", host, got.status, got.body, want)
		}
	}
}

// TestManyHosts finds each of ten thousand hosts, and none that was given up.
func TestManyHosts(t *testing.T) { onBothPaths(t, testManyHosts) }

func testManyHosts(t *testing.T, on path) {
	const many = 10_000
	f := newFront(t, on, router.Config{})
	odd, even := app(t, "web-1", says("odd")), app(t, "web-1", says("even"))
	name := func(i int) string { return fmt.Sprintf("app-%d", i) }
	for i := range many {
		r := router.Route{App: name(i), Release: "1", Hosts: []string{name(i) + ".test"}, Serving: true, Targets: []router.Target{even}}
		if i%2 == 1 {
			r.Targets[0] = odd
		}
		f.Set(r)
	}
	f.Remove(name(5))
	for _, i := range []int{0, 1, 2, 3, 4, 5, 5000, 5001, many - 1, many} {
		got := f.get("/", func(r *http.Request) { r.Host = name(i) + ".TEST" })
		want := []string{"even", "odd"}[i%2]
		if gone := i == 5 || i == many; gone && got.reason() != "unknown host" || !gone && got.body != want {
			t.Errorf("%s: %d %q, want %s", name(i), got.status, got.body, want)
		}
	}
	if got := len(f.Routes()); got != many-1 {
		t.Errorf("%d routes", got)
	}
}

// TestClaims gives a host to the next by name once its owner gives it up, not before.
func TestClaims(t *testing.T) {
	f := newFront(t, fast, router.Config{})
	set := func(name string, hosts ...string) {
		f.Set(router.Route{App: name, Release: "1", Hosts: hosts, Serving: true, Targets: []router.Target{app(t, "web-1", says(name))}})
	}
	owner := func() string { return f.get("/").body }
	set("m", "SHOP.test", "shop.test.")
	set("z", "shop.test")
	set("a", "shop.test")
	set("m", "shop.test") // a new version of the owner
	if got := owner(); got != "m" {
		t.Errorf("%s has it", got)
	}
	set("m")
	if got := owner(); got != "a" {
		t.Errorf("after m: %s", got)
	}
	f.Remove("a")
	set("m", "shop.test")
	if got := owner(); got != "z" {
		t.Errorf("after a: %s", got)
	}
}
