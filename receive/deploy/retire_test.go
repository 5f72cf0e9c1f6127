package deploy

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRequestInFlight switches while the old version is at work on a request: its containers stay until that is answered, at most for the
// drain time, and the pusher does not wait for it.
func TestRequestInFlight(t *testing.T) {
	const drain = 20 * time.Second
	for _, test := range []struct {
		name   string
		takes  time.Duration
		leaves time.Duration // after the switch, when the old containers are stopped
		status int
	}{
		{"is answered", 5 * time.Second, 5 * time.Second, http.StatusOK},
		{"is cut off", time.Hour, drain, http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{Drain: drain}, func(t *testing.T, s *stage) {
				answer := make(chan *httptest.ResponseRecorder, 1)
				go func() {
					w := httptest.NewRecorder()
					req := httptest.NewRequest("GET", "/", nil)
					req.Host = "my-app.example.com"
					s.router.ServeHTTP(w, req)
					answer <- w
				}()
				container := <-s.requests
				defer container.Close()
				if _, err := http.ReadRequest(bufio.NewReader(container)); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(test.takes, func() { _, _ = io.WriteString(container, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") })

				begin := time.Now()
				left := make(chan time.Duration, 1)
				s.on("remove 1 after 30s", func() { left <- time.Since(begin) })
				_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
				check(t, err)
				if took := time.Since(begin); took >= time.Second {
					t.Errorf("the pusher waited %s", took)
				}
				if after := (<-left).Truncate(time.Second); after != test.leaves {
					t.Errorf("the old containers were stopped %s after the switch, want %s", after, test.leaves)
				}
				if got := (<-answer).Code; got != test.status {
					t.Errorf("the request got %d", got)
				}
			})
		})
	}
}

// TestCloseWaits: a boathook that ends lets the retirement of an old version come to its end.
func TestCloseWaits(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.on("remove 1 after 30s", func() { time.Sleep(30 * time.Second) }) // a container that ignores SIGTERM
		s.on("discard image-1", func() { s.event("retired") })
		s.d.Limits.Releases = 1
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
		begin := time.Now()
		s.d.Close()
		if took := time.Since(begin); took < 29*time.Second || !slices.Contains(s.take(), "retired") {
			t.Errorf("closed after %s", took)
		}
		synctest.Wait()
	})
}
