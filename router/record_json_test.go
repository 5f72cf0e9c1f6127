package router_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// TestJSONLogGathers has lines wait for others, but not for long, and not many.
func TestJSONLogGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards writes
		var writes []int  // lines of each
		log := router.NewJSONLog(writer(func(lines []byte) {
			mu.Lock()
			defer mu.Unlock()
			writes = append(writes, bytes.Count(lines, []byte("\n")))
		}))
		wrote := func(when string, want ...int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(want, writes); diff != "" {
				t.Errorf("%s: %s", when, diff)
			}
		}
		short := &router.Record{Path: "/"}
		for range 3 {
			log.Log(short)
			time.Sleep(33 * time.Millisecond)
		}
		wrote("before their time")
		time.Sleep(time.Millisecond)
		wrote("in time", 3)
		time.Sleep(time.Hour)
		wrote("without a line", 3)
		log.Log(short)
		log.Flush()
		wrote("asked to", 3, 1)
		log.Flush()
		wrote("asked to without a line", 3, 1)
		long := &router.Record{Path: string(bytes.Repeat([]byte("x"), 10<<10))}
		for range 4 {
			log.Log(long)
		}
		wrote("full", 3, 1, 4)
		log.Log(short)
		time.Sleep(100 * time.Millisecond)
		wrote("after all", 3, 1, 4, 1)
	})
}

// TestJSONLogOfMany has many goroutines log to a slow writer: it gets one Write at a time, and of each goroutine every line, in order.
func TestJSONLogOfMany(t *testing.T) {
	const goroutines, each = 16, 500
	var writing atomic.Int32
	got := map[string][]int{} // paths, by host
	log := router.NewJSONLog(writer(func(lines []byte) {
		if writing.Add(1) != 1 {
			t.Error("two writes at once")
		}
		defer writing.Add(-1)
		time.Sleep(time.Millisecond) // the disk
		for line := range bytes.Lines(lines) {
			var r struct{ Host, Path string }
			if err := json.Unmarshal(line, &r); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			n, err := strconv.Atoi(r.Path)
			if err != nil {
				t.Error(err)
			}
			got[r.Host] = append(got[r.Host], n)
		}
	}))
	want := map[string][]int{}
	var loggers sync.WaitGroup
	for g := range goroutines {
		host := strconv.Itoa(g)
		for i := range each {
			want[host] = append(want[host], i)
		}
		loggers.Go(func() {
			for i := range each {
				log.Log(&router.Record{Host: host, Path: strconv.Itoa(i)})
			}
		})
	}
	loggers.Wait()
	log.Flush()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
