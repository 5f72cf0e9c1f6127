package docker_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boathook/runner"
)

// TestRemoveOnceMore has an engine that is too busy to remove a container, for a moment or for longer.
func TestRemoveOnceMore(t *testing.T) {
	c := connect(t)
	var refusals atomic.Int32
	engine := passTo(t, c)
	e, _ := newEngine(t, through(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/containers/") && refusals.Add(-1) >= 0 {
			http.Error(w, `{"message":"tried to kill container, but did not receive an exit event"}`, http.StatusInternalServerError)
			return
		}
		engine.ServeHTTP(w, r)
	})))
	removeAfter(t, e)
	listening(t, e, "app")
	for _, test := range []struct {
		refusals int32
		left     int
	}{{3, 1}, {2, 0}} {
		refusals.Store(test.refusals)
		if err := e.Remove(t.Context(), runner.Selector{App: "app"}, 0); (err != nil) != (test.left > 0) {
			t.Errorf("refused %d times: %v", test.refusals, err)
		}
		left, err := e.List(t.Context(), runner.Selector{App: "app"})
		if err != nil || len(left) != test.left {
			t.Errorf("refused %d times: %d left, %v", test.refusals, len(left), err)
		}
	}
}

// TestRemoveWhatDoesNotStop has an engine that fails to stop a container: it is killed.
func TestRemoveWhatDoesNotStop(t *testing.T) {
	c := connect(t)
	var asked atomic.Int32
	engine := passTo(t, c)
	e, _ := newEngine(t, through(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stop") {
			asked.Add(1)
			http.Error(w, `{"message":"cannot stop container: tried to kill container, but did not receive an exit event"}`, http.StatusInternalServerError)
			return
		}
		engine.ServeHTTP(w, r)
	})))
	removeAfter(t, e)
	listening(t, e, "app")
	there, err := e.List(t.Context(), runner.Selector{App: "app"})
	if err != nil || len(there) != 1 {
		t.Fatal(there, err)
	}
	if err := e.RemoveInstance(t.Context(), there[0].ID, time.Second); err != nil {
		t.Error(err)
	}
	if left, err := e.List(t.Context(), runner.Selector{App: "app"}); err != nil || len(left) > 0 || asked.Load() != 1 {
		t.Errorf("asked to stop %d times, left %v, %v", asked.Load(), left, err)
	}
}

// TestRunThatLeavesItsContainer has an engine that does not remove the container of a process that has ended, nor looks at it: how the process
// has ended is known all the same.
func TestRunThatLeavesItsContainer(t *testing.T) {
	c := connect(t)
	var ended atomic.Bool
	engine := passTo(t, c)
	e, _ := newEngine(t, through(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ended.Load() && strings.Contains(r.URL.Path, "/containers/") && (r.Method == http.MethodDelete || strings.HasSuffix(r.URL.Path, "/json") && !strings.HasSuffix(r.URL.Path, "/containers/json")) {
			http.Error(w, `{"message":"device or resource busy"}`, http.StatusInternalServerError)
			return
		}
		engine.ServeHTTP(w, r)
	})))
	removeAfter(t, e)
	out := writerFunc(func(p []byte) (int, error) {
		ended.Store(true)
		return len(p), nil
	})
	exit, err := e.Run(t.Context(), spec("app", "postdeploy", "echo done; exit 3"), runner.IO{Out: out})
	if err != nil || exit.Code != 3 {
		t.Errorf("ended with %+v, %v", exit, err)
	}
	ended.Store(false)
	if left, err := e.List(t.Context(), runner.Selector{App: "app"}); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
