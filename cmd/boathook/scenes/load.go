package scenes

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Load is clients that ask an app all the time: on connections that are kept, and on new ones.
type Load struct {
	host     string
	stop     chan struct{}
	ending   sync.Once
	clients  sync.WaitGroup
	answered atomic.Int64

	mu     sync.Mutex // guards failed
	failed []string
}

// StartLoad has four clients ask url for a host until End.
func StartLoad(url, host string) *Load {
	l := &Load{host: host, stop: make(chan struct{})}
	for i := range 4 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		l.clients.Go(func() { l.ask(client, url) })
	}
	return l
}

// End waits for the requests under way, and returns how many were answered. It is an error if there were none, or one was not answered well. Another call
// returns the same.
func (l *Load) End() (answered int64, err error) {
	l.ending.Do(func() { close(l.stop) })
	l.clients.Wait()
	answered = l.answered.Load()
	if answered == 0 || len(l.failed) > 0 {
		return answered, fmt.Errorf("%d requests answered, %d failed:\n%s", answered, len(l.failed), strings.Join(l.failed, "\n"))
	}
	return answered, nil
}

func (l *Load) ask(client *http.Client, url string) {
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Millisecond):
		}
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			panic(err)
		}
		req.Host = l.host
		if err := good(client.Do(req)); err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err.Error())
			l.mu.Unlock()
			continue
		}
		l.answered.Add(1)
	}
}

// good wants an answer of the fixture app.
func good(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(body.String(), "version") {
		return fmt.Errorf("answered %s %q", resp.Status, &body)
	}
	return nil
}

// cmdLoad starts asking the scene's app: load [HOST].
func cmdLoad(ts *testscript.TestScript, neg bool, args []string) {
	l := StartLoad("http://"+ts.Getenv("HTTP"), append(args, "my-app.example.com")[0])
	sceneOf(ts).load = l
	ts.Defer(func() { _, _ = l.End() }) // end-load has looked at it, or the scene has failed
}

// cmdEndLoad ends cmdLoad; each request must have been answered well. LOAD is their number then.
func cmdEndLoad(ts *testscript.TestScript, neg bool, args []string) {
	answered, err := sceneOf(ts).load.End()
	ts.Setenv("LOAD", strconv.FormatInt(answered, 10))
	ts.Check(err)
}
