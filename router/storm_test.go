package router_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boathook/router"
)

// protocol is a way in which clients speak with the router.
type protocol struct {
	name  string
	serve func(t *testing.T, s *router.Server, l net.Listener) error
	// connect opens a connection, and returns a function that sends a request on it, one after the other, and one that closes it.
	connect func(t *testing.T, addr, method, body string) (ask func(context.Context) (answer, error), hangUp func())
}

var protocols = []protocol{
	{"HTTP1", func(_ *testing.T, s *router.Server, l net.Listener) error { return s.Serve(l) }, connectHTTP1},
	{"HTTP2", func(t *testing.T, s *router.Server, l net.Listener) error { return s.ServeTLS(l, unknownTLS(t)) }, connectHTTP2},
}

// connectHTTP1 holds one TCP connection.
func connectHTTP1(t *testing.T, addr, method, body string) (ask func(context.Context) (answer, error), hangUp func()) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return func(context.Context) (answer, error) { return answer{}, err }, func() {}
	}
	in := bufio.NewReader(conn)
	request := fmt.Sprintf("%s / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body)
	if body == "" {
		request = method + " / HTTP/1.1\r\nHost: shop.test\r\n\r\n"
	}
	return func(context.Context) (answer, error) {
		if _, err := io.WriteString(conn, request); err != nil {
			return answer{}, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return answer{}, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return answer{res.StatusCode, res.Header, string(body)}, err
	}, func() { conn.Close() }
}

// connectHTTP2 has a transport of its own, which opens one connection and fails if that is another protocol's.
func connectHTTP2(t *testing.T, addr, method, body string) (ask func(context.Context) (answer, error), hangUp func()) {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	return func(ctx context.Context) (answer, error) {
		req, err := http.NewRequestWithContext(ctx, method, "https://"+addr, strings.NewReader(body))
		if err != nil {
			return answer{}, err
		}
		req.Host = "shop.test"
		return send(&http.Client{Transport: transport}, req)
	}, transport.CloseIdleConnections
}

// client makes requests by one protocol, to addresses behind the scheme.
func (p protocol) client(t *testing.T) (_ *http.Client, scheme string) {
	transport := &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Hour}
	t.Cleanup(transport.CloseIdleConnections)
	if p.name == "HTTP1" {
		return &http.Client{Transport: transport}, "http://"
	}
	transport.ForceAttemptHTTP2 = true
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	return &http.Client{Transport: transport}, "https://"
}

// stage serves a router by one protocol until the test ends.
func (p protocol) stage(t *testing.T, cfg router.Config) (*router.Router, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := router.New(cfg)
	server, done := router.NewServer(r), make(chan struct{})
	go func() {
		defer close(done)
		_ = p.serve(t, server, listener) // nil after Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
		_ = r.Close()
	})
	return r, listener.Addr().String()
}

var (
	switches    = flag.Int64("switches", 200, "of TestSwitchUnderLoad")
	connections = flag.Int("connections", 64, "of TestSwitchUnderLoad")
)

// TestSwitchUnderLoad replaces the version again and again while connections ask all the time: with -args -switches 1000 -connections 256 for as
// long as CI has it done. Every request is answered by a version
// that was live while it was under way: none fails, none on a connection goes back to an older one, and what was drained is asked no more.
func TestSwitchUnderLoad(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { testSwitchUnderLoad(t, p) })
	}
}

func testSwitchUnderLoad(t *testing.T, p protocol) {
	r, addr := p.stage(t, router.Config{Queue: 1000, Dial: dialBriefly})
	var drained atomic.Int64 // highest version whose Drain has returned
	version := func(n int64) (_ router.Route, end func()) {
		serve := func(w http.ResponseWriter, _ *http.Request) {
			if n <= drained.Load() {
				t.Errorf("version %d was asked after its drain", n)
			}
			_, _ = fmt.Fprint(w, n)
		}
		next := router.Route{App: "shop", Release: strconv.FormatInt(n, 10), Hosts: []string{"shop.test"}, Serving: true}
		var servers []*httptest.Server
		for _, name := range []string{"web-1", "web-2"} {
			server := httptest.NewServer(http.HandlerFunc(serve))
			servers = append(servers, server)
			next.Targets = append(next.Targets, router.Target{Name: name, Addr: server.Listener.Addr().String()})
		}
		return next, func() {
			for _, server := range servers {
				server.Close()
			}
		}
	}
	first, end := version(1)
	r.Set(first)
	var live, answered atomic.Int64
	live.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range *connections {
		ask, hangUp := p.connect(t, addr, "GET", "")
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
	for n := int64(2); n <= *switches+1; n++ {
		next, nextEnd := version(n)
		before := answered.Load()
		drain := r.Set(next)
		live.Store(n)
		if err := drain.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		drained.Store(n - 1)
		end() // as the container of a version that is drained
		end = nextEnd
		eventually(t, "requests are answered", func() bool { return answered.Load() > before || t.Failed() })
	}
	stop()
	load.Wait()
	end()
	t.Logf("%d requests on %d connections through %d switches", answered.Load(), *connections, *switches)
}

// dialBriefly connects so that nothing is left of a connection when the router closes it. The kernel would remember each of half a million for a
// minute or two, and where it tracks connections (nf_conntrack_max) refuse new ones in the end.
func dialBriefly(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetLinger(0)
}

// TestKilledContainer ends one of an app's two containers, a process of its own, with SIGKILL while 64 connections ask. What may be asked twice
// nobody loses; of what may not, only requests that were under way when the container was there.
func TestKilledContainer(t *testing.T) {
	for _, p := range protocols {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			t.Run(p.name+" "+method, func(t *testing.T) { testKilledContainer(t, p, method, "") })
		}
		for _, method := range []string{"POST", "PUT"} {
			t.Run(p.name+" "+method+" with a body", func(t *testing.T) { testKilledContainer(t, p, method, "a=b") })
		}
	}
}

func testKilledContainer(t *testing.T, p protocol, method, body string) {
	r, addr := p.stage(t, router.Config{Queue: 1000})
	victim, survivor := startContainer(t), startContainer(t)
	r.Set(route(router.Target{Name: "web-1", Addr: victim.addr}, router.Target{Name: "web-2", Addr: survivor.addr}))
	var answered, byVictim, lost atomic.Int64
	var gone atomic.Bool // the victim, with all its connections
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	const clients = 64
	for range clients {
		ask, hangUp := p.connect(t, addr, method, body)
		load.Go(func() {
			defer hangUp()
			for ctx.Err() == nil {
				after := gone.Load()
				switch got, err := ask(t.Context()); {
				case err == nil && got.status == 200:
					answered.Add(1)
					if got.body == victim.addr {
						byVictim.Add(1)
					}
				case err == nil && got.status == 502 && body != "" && !after:
					lost.Add(1)
				default:
					t.Errorf("%d %q, %v", got.status, got.body, err)
					return
				}
			}
		})
	}
	eventually(t, "both containers answer", func() bool { return byVictim.Load() > 200 && answered.Load() > 400 || t.Failed() })
	victim.kill(t)
	gone.Store(true)
	before := answered.Load()
	eventually(t, "requests are answered", func() bool { return answered.Load() > before+1000 || t.Failed() })
	stop()
	load.Wait()
	t.Logf("%d requests answered, %d lost", answered.Load(), lost.Load())
	if lost.Load() > clients {
		t.Error("more were lost than were under way")
	}
}

// container is a process that answers each request with its address, a moment later.
type container struct {
	cmd  *exec.Cmd
	addr string
}

// containerEnv makes the test program a container.
const containerEnv = "ROUTER_TEST_CONTAINER"

func startContainer(t *testing.T) *container {
	t.Helper()
	c := &container{cmd: exec.Command(os.Args[0], "-test.run=^TestContainer$")}
	c.cmd.Env = append(os.Environ(), containerEnv+"=1")
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		_ = c.cmd.Wait()
	})
	if c.addr, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.addr = c.addr[:len(c.addr)-1]
	return c
}

// kill returns when nothing of the process is left.
func (c *container) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // ended by our signal
}

// TestContainer is no test but the process of a container.
func TestContainer(t *testing.T) {
	if os.Getenv(containerEnv) == "" {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	fmt.Println(addr)
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, addr) }))
}
