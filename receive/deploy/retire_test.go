package deploy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
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
				s.on("remove 1 after 30s", func() {
					if !s.d.Busy() {
						t.Error("a boathook that is to be replaced would not wait for this retirement")
					}
					left <- time.Since(begin)
				})
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
				synctest.Wait()
				if s.d.Busy() {
					t.Error("busy after all has ended")
				}
			})
		})
	}
}

// TestRedeploymentsAreOneImage: however often an image is deployed, the one before it is kept, with every release that is of it.
func TestRedeploymentsAreOneImage(t *testing.T) {
	onStage(t, Limits{Releases: 2}, func(t *testing.T, s *stage) {
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
		for _, from := range []int64{2, 2, 2, 1, 2} {
			check(t, s.redeploy(t.Context(), apps.Redeployment{App: "my-app", From: from, Out: io.Discard}))
			synctest.Wait()
		}
		if discarded := slices.DeleteFunc(s.take(), func(event string) bool { return !strings.HasPrefix(event, "discard") }); len(discarded) > 0 {
			t.Errorf("events %q", discarded)
		}
		_, err = s.deploy(t.Context(), map[string]string{"web": "listen"}) // as deployment 8
		check(t, err)
		synctest.Wait()
		releases, err := s.store.Releases(t.Context(), "my-app")
		check(t, err)
		var kept []string
		for _, r := range releases {
			kept = append(kept, fmt.Sprint(r.Deployment, " ", r.Image))
		}
		if diff := cmp.Diff([]string{"8 image-8", "7 image-2", "5 image-2", "4 image-2", "3 image-2", "2 image-2"}, kept); diff != "" {
			t.Errorf("releases (-want +got):\n%s", diff)
		}
		if events := s.take(); slices.Index(events, "discard image-1") < 0 {
			t.Errorf("events %q", events)
		}
	})
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
