package router_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"boathook/router"
)

// TestAbortOverTLS: a client that goes away ends its request, whether it announces that (close_notify) or not, while the container thinks and while its
// answer pauses.
func TestAbortOverTLS(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		for _, announced := range []bool{true, false} {
			for _, streaming := range []bool{false, true} {
				t.Run(fmt.Sprintf("announced %v, streaming %v", announced, streaming), func(t *testing.T) {
					t.Parallel() // it waits for the patrol
					testAbortOverTLS(t, on, announced, streaming)
				})
			}
		}
	})
}

func testAbortOverTLS(t *testing.T, on path, announced, streaming bool) {
	f := newSecureFront(t, on, router.Config{FirstByte: time.Hour, Idle: time.Hour})
	arrived, ended := make(chan bool), make(chan bool)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		if streaming {
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		close(arrived)
		<-r.Context().Done()
	})))
	plain, _ := f.dial()
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	<-arrived
	if streaming {
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if announced {
		_ = conn.Close()
	} else {
		_ = plain.Close()
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the container was not told")
	}
	if got := router.Quarantined(f.Router, "shop"); got != nil {
		t.Errorf("%v blamed", got)
	}
}

// TestClientEndsItsHalf: who has asked and then sends no more counts as gone, as with net/http and nginx.
func TestClientEndsItsHalf(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		f := newFront(t, on, router.Config{FirstByte: time.Hour})
		arrived, ended := make(chan bool), make(chan bool)
		f.Set(route(app(t, "web-1", func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(ended)
		})))
		conn, r := f.dial()
		write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
		<-arrived
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("the container was not told")
		}
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("the client got %q, %v", rest, err)
		}
	})
}
