package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdReplace asks the daemon to replace itself.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(sceneOf(ts).daemon.Process.Signal(syscall.SIGUSR2))
}

// cmdSucceed waits for the end of a daemon that was asked to replace itself, and takes the one that serves then for the scene's.
func cmdSucceed(ts *testscript.TestScript, neg bool, args []string) {
	old := sceneOf(ts).daemon
	if err := old.Wait(); err != nil {
		ts.Fatalf("the boathook that was replaced: %v", err)
	}
	pid := 0
	data := []byte("\x00-data\x00" + ts.Getenv("BOATHOOK_DATA") + "\x00")
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && bytes.Contains(text, data) { // a process that has just ended is no concern
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(line)))
			ts.Check(err)
		}
	}
	if pid == 0 {
		ts.Fatalf("nothing serves after the end of the boathook that was replaced")
	}
	ts.Defer(func() {
		destroyApp(ts.Getenv("BOATHOOK_DATA"))
		_ = syscall.Kill(pid, syscall.SIGTERM)
		for syscall.Kill(pid, 0) == nil { // not a child of ours
			time.Sleep(20 * time.Millisecond)
		}
	})
}

// load asks the app all the time: on connections that are kept, and on new ones.
type load struct {
	stop     chan struct{}
	clients  sync.WaitGroup
	answered atomic.Int64

	mu     sync.Mutex // guards failed
	failed []string
}

// cmdLoad starts asking the scene's app.
func cmdLoad(ts *testscript.TestScript, neg bool, args []string) {
	l := &load{stop: make(chan struct{})}
	sceneOf(ts).load = l
	for i := range 4 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		l.clients.Go(func() { l.ask(client, "http://"+ts.Getenv("HTTP")) })
	}
	ts.Defer(l.end)
}

func (l *load) ask(client *http.Client, url string) {
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
		req.Host = "my-app.example.com"
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

func (l *load) end() {
	if l.stop != nil {
		close(l.stop)
		l.clients.Wait()
		l.stop = nil
	}
}

// cmdEndLoad ends cmdLoad; each request must have been answered well.
func cmdEndLoad(ts *testscript.TestScript, neg bool, args []string) {
	l := sceneOf(ts).load
	l.end()
	ts.Logf("%d requests answered", l.answered.Load())
	if l.answered.Load() == 0 || len(l.failed) > 0 {
		ts.Fatalf("%d requests answered, %d failed:\n%s", l.answered.Load(), len(l.failed), strings.Join(l.failed, "\n"))
	}
}
