package router_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// TestCustomerStreams reads each event before the next is sent, and leaves: the app's request ends.
func TestCustomerStreams(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, c *customer) {
		next, ended := make(chan string, 1), make(chan bool)
		c.open(router.Config{}, func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				select {
				case event := <-next:
					_, _ = io.WriteString(w, event)
					_ = http.NewResponseController(w).Flush()
				case <-r.Context().Done():
				}
			}
		})
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		next <- "data: 0\n"
		res, err := c.ask("GET", nil, func(r *http.Request) { *r = *r.WithContext(ctx) })
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewReader(res.Body)
		for _, event := range []string{"data: 0\n", "data: 1\n", "data: 2\n"} {
			if event != "data: 0\n" {
				next <- event
			}
			if got, err := lines.ReadString('\n'); err != nil || got != event {
				t.Fatal(got, err)
			}
		}
		leave()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the app was not told")
		}
	})
}

// TestCustomerSends sends a body with a trailer once the app has asked for it, which is told once, and reads the answer's trailer.
func TestCustomerSends(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, c *customer) {
		c.open(router.Config{}, echo)
		var interim []int
		res, err := c.ask("POST", io.NopCloser(strings.NewReader("body")), func(r *http.Request) {
			r.Header.Set("Expect", "100-continue")
			r.Trailer = http.Header{"X-Check": {"yes"}}
			*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				interim = append(interim, code)
				return nil
			}}))
		})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != "body" || res.Header.Get("X-Check") != "yes" || res.Trailer.Get("X-Sum") != "4" {
			t.Errorf("%q, %v, %v, %v", body, res.Header, res.Trailer, err)
		}
		if diff := cmp.Diff([]int{100}, interim); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCustomerHints gets an interim answer before the other, once.
func TestCustomerHints(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, c *customer) {
		c.open(router.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "done")
		})
		var links []string
		res, err := c.ask("GET", nil, func(r *http.Request) {
			*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				links = append(links, h.Get("Link"))
				return nil
			}}))
		})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if diff := cmp.Diff([]string{"</style.css>; rel=preload"}, links); diff != "" || res.StatusCode != 200 {
			t.Errorf("%d, %s", res.StatusCode, diff)
		}
	})
}

// TestCustomerBodiless gets answers that have no body, whatever their fields say.
func TestCustomerBodiless(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, c *customer) {
		c.open(router.Config{}, func(w http.ResponseWriter, r *http.Request) {
			switch r.Header.Get("X-Want") {
			case "204":
				w.WriteHeader(204)
			case "304":
				w.Header().Set("Etag", `"x"`)
				w.WriteHeader(304)
			default:
				w.Header().Set("Content-Length", "5")
				_, _ = io.WriteString(w, "hello")
			}
		})
		for _, row := range []struct {
			method, want string
			status       int
			length       int64
		}{{"HEAD", "", 200, 5}, {"GET", "204", 204, 0}, {"GET", "304", 304, 0}, {"GET", "", 200, 5}} {
			res, err := c.ask(row.method, nil, func(r *http.Request) { r.Header.Set("X-Want", row.want) })
			if err != nil || res.StatusCode != row.status || max(res.ContentLength, 0) != row.length {
				t.Fatal(row, res, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || (len(body) > 0) != (row.method == "GET" && row.status == 200) {
				t.Errorf("%v: %q, %v", row, body, err)
			}
		}
	})
}

// TestCustomerCutShort sees that an answer was cut short, in both framings, and when it stops for too long.
func TestCustomerCutShort(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBothProtocols(t, func(t *testing.T, c *customer) {
		c.open(router.Config{Idle: 3 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
			if length := r.Header.Get("X-Length"); length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			if r.Header.Get("X-Stop") != "" {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler)
		})
		for _, length := range []string{"", "8"} {
			for _, stop := range []string{"", "yes"} {
				res, err := c.ask("GET", nil, func(r *http.Request) { r.Header.Set("X-Length", length); r.Header.Set("X-Stop", stop) })
				if err != nil && stop == "" {
					continue // HTTP/2 may drop what came before the reset, the header section too
				}
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(res.Body); err == nil || string(body) != "half" && stop != "" {
					t.Errorf("length %q, stop %q: %q, %v", length, stop, body, err)
				}
				_ = res.Body.Close()
			}
		}
	})
}

// TestCustomerWaits gets the router's answer where the app has none in time, and where its version is stopped.
func TestCustomerWaits(t *testing.T) {
	onBothProtocols(t, func(t *testing.T, c *customer) {
		for reason, cfg := range map[string]router.Config{"first byte time-out": {FirstByte: 100 * time.Millisecond}, "version replaced": {}} {
			arrived := make(chan bool, 1)
			r := c.open(cfg, func(_ http.ResponseWriter, r *http.Request) {
				arrived <- true
				<-r.Context().Done()
			})
			if cfg.FirstByte == 0 {
				go func() {
					<-arrived
					r.Remove("shop").Close()
				}()
			}
			res, err := c.ask("GET", nil)
			if err != nil || res.Header.Get("X-Scalingo-Error") != reason {
				t.Fatal(reason, res, err)
			}
			_ = res.Body.Close()
		}
	})
}
