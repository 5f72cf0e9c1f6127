package router_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"boathook/router"
)

// TestSlowloris sends heads that never end, and nothing at all: each connection is closed in time, and the app sees none of it.
func TestSlowloris(t *testing.T) {
	for name, drip := range map[string]struct{ start, more string }{
		"nothing":        {},
		"a request line": {"", "G"},
		"a field":        {"GET / HTTP/1.1\r\nX-A: ", "b"},
		"fields":         {"GET / HTTP/1.1\r\nHost: shop.test\r\n", "X-A: b\r\n"},
		"next request":   {get(), "G"},
		"no next one":    {get(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTape(t, manner{})
			complete, limit := 20*strings.Count(drip.start, "\r\n\r\n"), time.Second
			if complete > 0 {
				limit = 5 * time.Second // these must come in before
			}
			dial, shut := newGate(t, router.Config{Header: limit, KeepAlive: limit}, a, nil)
			var clients sync.WaitGroup
			for range 20 {
				clients.Go(func() { dripUntilClosed(t, dial(), drip.start, drip.more) })
			}
			clients.Wait()
			shut()
			a.await(t)
			if got := a.saw(); len(got) != complete || len(a.faults) > 0 || a.cut > 0 {
				t.Errorf("the app got %q %q and %d halves", got, a.faults, a.cut)
			}
		})
	}
}

// dripUntilClosed sends start, and then more every few milliseconds until the other side ends the connection.
func dripUntilClosed(t *testing.T, conn halfCloser, start, more string) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	_, _ = io.WriteString(conn, start)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case err := <-ended:
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
			return
		case <-tick.C:
			_, _ = io.WriteString(conn, more)
		}
	}
}

// TestSlowBody sends a small body byte by byte: it holds no container until it is whole.
func TestSlowBody(t *testing.T) {
	a := newTape(t, manner{})
	dial, _ := newGate(t, router.Config{}, a, nil)
	conn := dial()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, post("Content-Length: 5")+"hell"); err != nil {
		t.Fatal(err)
	}
	other := dial()
	defer other.Close()
	_ = other.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(other, get()); err != nil {
		t.Fatal(err)
	}
	if got, err := reply(bufio.NewReader(other), "GET"); got != "200 ok" {
		t.Error(got, err)
	}
	a.mu.Lock()
	if len(a.open) > 1 {
		t.Errorf("%d connections to the app", len(a.open))
	}
	a.mu.Unlock()
	if _, err := io.WriteString(conn, "o"); err != nil {
		t.Fatal(err)
	}
	if got, err := reply(bufio.NewReader(conn), "POST"); got != "200 ok" {
		t.Error(got, err)
	}
}

const (
	idlers    = 10_000
	perIdler  = 64 << 10  // bytes of this process's memory: 64 MB for 1,000, and more than enough with the race detector
	perDeaf   = 256 << 10 // the same, for a client that does not read, with what the app of the test needs
	holderEnv = "ROUTER_TEST_HOLD"
)

// TestIdleConnections keeps connections open that have had an answer, and looks at what they cost. The clients are in another process.
func TestIdleConnections(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < idlers+500 {
		t.Skipf("a process may open %d files here, too few for %d connections", files.Cur, idlers)
	}
	a := newTape(t, manner{})
	dial, _ := newGate(t, router.Config{}, a, nil)
	first := dial()
	_ = first.Close() // it would idle too long
	before := footprint()
	letGo := holdConnections(t, first.RemoteAddr().String())
	after := footprint()
	each := (after - before) / idlers
	t.Logf("%d bytes each", each)
	if each > perIdler {
		t.Errorf("an idle connection costs %d bytes", each)
	}
	beside := dial()
	defer beside.Close()
	_ = beside.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(beside, get()); err != nil {
		t.Fatal(err)
	}
	if got, err := reply(bufio.NewReader(beside), "GET"); got != "200 ok" {
		t.Errorf("beside them: %q, %v", got, err)
	}
	letGo()
}

// footprint is the memory that is in use for data and stacks.
func footprint() int64 {
	runtime.GC()
	runtime.GC() // the first leaves what is in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// holdConnections starts a process with idlers connections to addr, and returns once each has had an answer.
func holdConnections(t *testing.T, addr string) (letGo func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), holderEnv+"="+addr)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	letGo = sync.OnceFunc(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(letGo)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return letGo
}

// TestHold is the other process of TestIdleConnections.
func TestHold(t *testing.T) {
	addr := os.Getenv(holderEnv)
	if addr == "" {
		t.Skip("only in a process of TestIdleConnections")
	}
	for range idlers {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, get()); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, len(ok))); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestDeafClients asks for more than fits into any buffer and does not read: the router keeps next to nothing of it, serves others meanwhile,
// and in the end lets the app go.
func TestDeafClients(t *testing.T) {
	const clients, size = 100, 16 << 20
	var served atomic.Int64
	block := make([]byte, 64<<10)
	f := newFront(t, fast, router.Config{Idle: 2 * time.Second, Queue: 2 * clients})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			return
		}
		served.Add(1)
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})))
	before := footprint()
	for range clients {
		conn, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, get()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all have an answer under way", func() bool { return served.Load() == clients })
	if got := f.get("/small"); got.status != 200 {
		t.Errorf("beside them: %d", got.status)
	}
	each := (footprint() - before) / clients
	t.Logf("%d bytes each", each)
	if each > perDeaf {
		t.Errorf("a client that does not read costs %d bytes", each)
	}
	if err := f.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestBombs passes compressed bodies in both directions as they are.
func TestBombs(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(w, zeros{}, 50<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fields := []string{"Content-Encoding: gzip", fmt.Sprint("Content-Length: ", bomb.Len())}
	for name, tls := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			secured := unknownTLS(t)
			if !tls {
				secured = nil
			}
			a := newTape(t, manner{answers: []string{succeed(append(fields, "Content-Type: text/html")...) + bomb.String()}})
			dial, _ := newGate(t, router.Config{}, a, secured)
			conn := dial()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(conn, post(append(fields, "Accept-Encoding: gzip")...)+bomb.String()); err != nil {
				t.Fatal(err)
			}
			got, err := readResponse(bufio.NewReader(conn), "POST")
			if err != nil || got.body != bomb.String() {
				t.Errorf("the client got %d bytes of %d, %v", len(got.body), bomb.Len(), err)
			}
			if requests, faults := a.rewind(); len(requests) != 1 || len(faults) > 0 || requests[0].body != bomb.String() {
				t.Errorf("the app got something else: %d, %.100q", len(requests), faults)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
