package router_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/router"
)

// halfTaken is a connection to a container that takes the header section of a request, breaks at the body, and has answer to read then.
type halfTaken struct {
	net.Conn
	writes int
	broken chan struct{}
	once   sync.Once
	answer io.Reader
}

func (h *halfTaken) Write(b []byte) (int, error) {
	if h.writes++; h.writes > 1 {
		_ = h.Close()
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func (h *halfTaken) Read(b []byte) (int, error) {
	<-h.broken
	return h.answer.Read(b)
}

func (h *halfTaken) Close() error {
	h.once.Do(func() { close(h.broken) })
	return nil
}

// TestBrokenUpload: a body that a container has not taken is never the client's next request, whoever answers instead.
func TestBrokenUpload(t *testing.T) {
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: victim.test\r\n\r\n"
	for name, answer := range map[string]string{"refused by the router": "", "answered early": "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"} {
		for way, body := range map[string]string{"Expect": smuggled, "as large as the buffer": strings.Repeat("x", 15<<10) + smuggled} {
			t.Run(name+", "+way, func(t *testing.T) {
				victim := newTape(t, manner{})
				dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr == victim.target().Addr {
						return new(net.Dialer).DialContext(ctx, network, addr)
					}
					return &halfTaken{broken: make(chan struct{}), answer: strings.NewReader(answer)}, nil
				}
				f := newFront(t, fast, router.Config{Dial: dial})
				f.Set(route(router.Target{Name: "web-1", Addr: "127.0.0.1:1"}))
				f.Set(router.Route{App: "victim", Release: "1", Hosts: []string{"victim.test"}, Serving: true, Targets: []router.Target{victim.target()}})
				conn, r := f.dial()
				expect := ""
				if way == "Expect" {
					expect = "Expect: 100-continue\r\n"
				}
				write(t, conn, "POST / HTTP/1.1\r\nHost: shop.test\r\n%sContent-Length: %d\r\n\r\n%s", expect, len(body), body)
				res, err := http.ReadResponse(r, nil)
				if err != nil || res.StatusCode != 401 && res.StatusCode != 502 {
					t.Fatal(res, err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Fatal(err)
				}
				if next, err := http.ReadResponse(r, nil); err == nil {
					t.Errorf("another answer: %s", next.Status)
				}
				if saw := victim.saw(); len(saw) > 0 {
					t.Errorf("the body became a request: %q", saw)
				}
			})
		}
	}
}

// TestUpgradeOfSeveral offers two protocols, of which the container takes one.
func TestUpgradeOfSeveral(t *testing.T) {
	log := &journal{}
	f := newFront(t, fast, router.Config{Log: log.logger()})
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		}
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket, foo\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if len(log.blame()) > 0 {
		t.Errorf("%q", log.blame())
	}
}

// TestDroppedByOneAddress has an app that drops its connection whenever one address is asked for, as a process that crashes there. Who asks for others is answered, however
// often that happens.
func TestDroppedByOneAddress(t *testing.T) { onBothPaths(t, testDroppedByOneAddress) }

func testDroppedByOneAddress(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	crash := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/crash" {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "ok")
	}
	f.Set(route(app(t, "web-1", crash), app(t, "web-2", crash)))
	ctx, stop := context.WithCancel(t.Context())
	var crashing sync.WaitGroup
	for range 2 {
		crashing.Go(func() {
			for ctx.Err() == nil {
				if got := f.get("/crash"); got.status != 502 {
					t.Errorf("/crash: %d", got.status)
				}
			}
		})
	}
	for range 200 {
		if got := f.get("/"); got.body != "ok" {
			t.Errorf("%d %q", got.status, got.reason())
			break
		}
	}
	stop()
	crashing.Wait()
}

// TestSlowBodies has clients that take their time with a body of each kind fill what they can of the queue of an app's container: others are answered.
func TestSlowBodies(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { testSlowBodies(t, p) })
	}
}

func testSlowBodies(t *testing.T, p protocol) {
	r, addr := p.stage(t, router.Config{Queue: 2})
	r.Set(route(app(t, "web-1", func(w http.ResponseWriter, req *http.Request) {
		if n, err := io.Copy(io.Discard, req.Body); err == nil {
			_, _ = fmt.Fprint(w, n)
		}
	})))
	for _, row := range []struct {
		name     string
		length   int64 // -1 if it is not told
		expect   bool
		buffered bool // the router waits for it, so that there is no end to how many may come
	}{
		{"small", 5, false, true},
		{"large", 20 << 10, false, false},
		{"of unknown length", -1, false, false},
		{"expected", 5, true, p.name == "HTTP2"}, // there it is asked for as soon as it is read
	} {
		t.Run(row.name, func(t *testing.T) {
			var slow sync.WaitGroup
			var ends []*io.PipeWriter
			answers := make(chan string, 3)
			for range 3 {
				body, end := io.Pipe()
				ends = append(ends, end)
				req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+addr, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Host, req.ContentLength = "shop.test", row.length
				if row.expect {
					req.Header.Set("Expect", "100-continue")
				}
				transport := &http.Transport{ExpectContinueTimeout: time.Hour}
				if p.name == "HTTP2" {
					req.URL.Scheme = "https"
					transport.ForceAttemptHTTP2, transport.TLSClientConfig = true, &tls.Config{InsecureSkipVerify: true}
				}
				slow.Go(func() {
					defer transport.CloseIdleConnections()
					got, err := send(&http.Client{Transport: transport}, req)
					_ = body.CloseWithError(io.EOF) // nobody waits for it any more
					answers <- fmt.Sprint(got.body, got.reason(), err)
				})
				slow.Go(func() { _, _ = end.Write([]byte("a")) }) // the first byte
			}
			if !row.buffered { // the third finds no place among the slow
				if got := <-answers; !strings.Contains(got, "request queue full") {
					t.Errorf("one too many: %s", got)
				}
			}
			ask, hangUp := p.connect(t, addr, "GET", "")
			defer hangUp()
			for range 3 {
				if got, err := ask(t.Context()); err != nil || got.body != "0" {
					t.Errorf("somebody else: %d %q, %v", got.status, got.reason(), err)
				}
			}
			rest := max(row.length-1, 4)
			answered := func() {
				if got := <-answers; got != fmt.Sprint(rest+1, "<nil>") {
					t.Errorf("in the end: %s", got)
				}
			}
			for _, end := range ends {
				slow.Go(func() {
					_, _ = end.Write(make([]byte, rest)) // nobody reads that of the one too many
					_ = end.Close()
				})
				if row.buffered { // they come to the container now: not all at once
					answered()
				}
			}
			if !row.buffered {
				answered()
				answered()
			}
			slow.Wait()
		})
	}
}
