package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// outages are the times in which there was no server.
type outages struct {
	mu   sync.Mutex // guards past and now
	past [][2]time.Time
	now  time.Time // when the present one began; zero: there is none
}

func (o *outages) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = time.Now()
}

func (o *outages) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.past = append(o.past, [2]time.Time{o.now, time.Now()})
	o.now = time.Time{}
}

func (o *outages) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.past)
}

// during tells whether there was one at any moment from begin to end.
func (o *outages) during(begin, end time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.now.IsZero() && o.now.Before(end) {
		return true
	}
	return slices.ContainsFunc(o.past, func(p [2]time.Time) bool { return p[0].Before(end) && begin.Before(p[1]) })
}

// wait returns when there is a server, or ctx has ended.
func (o *outages) wait(ctx context.Context) {
	for o.during(time.Now(), time.Now()) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// The promises of `lab soak` that are no zeros.
const (
	memoryGrowth = 1.25 // resident memory at the end by that in the middle
	memorySlack  = 16.0 // MB on top: the collector's freedom
	filesSlack   = 10   // open files without apps, by those of a fresh server: idle connections of the database and the engine's client
)

// health is what is measured of the server since its last start, and what the clients have counted.
type health struct {
	visits
	leftovers   int
	middle, end float64 // MB resident, medians
	files       int     // open at most

	mu       sync.Mutex // guards what follows
	pid      int
	resident []float64 // since the last start
}

func (h *health) restart(pid int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pid, h.resident = pid, nil
}

// watch takes a sample every quarter of a second until ctx ends.
func (h *health) watch(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.sample()
		}
	}
}

// sample reads nothing of a server that has been killed.
func (h *health) sample() {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, err := memory(h.pid)
	files, wrong := openFiles(h.pid)
	if err == nil && wrong == nil && u.resident > 0 {
		h.resident = append(h.resident, u.resident)
		h.files = max(h.files, files)
	}
}

// add takes over what an app's clients have counted.
func (h *health) add(a *soakApp) {
	h.requests += a.tally.requests
	h.wrong += a.tally.wrong
	h.failed += a.tally.failed
	h.excused += a.tally.excused
}

// judge compares the second third of the last server's life with the last.
func (h *health) judge(s *soak) {
	third := len(h.resident) / 3
	if third == 0 {
		s.breach("no sample of the server's memory")
		return
	}
	h.middle, h.end = middle(h.resident[third:2*third]), middle(h.resident[2*third:])
	if h.end > memoryGrowth*h.middle+memorySlack {
		s.breach("the server's memory grows: %.1f MB, then %.1f MB", h.middle, h.end)
	}
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// unclosed tells of files that the server without apps has open, when it had fresh at its start.
func (s *soak) unclosed(fresh int) ([]string, error) {
	now, err := openFiles(s.server.Process.Pid)
	if err != nil || now <= fresh+filesSlack {
		return nil, err
	}
	return []string{fmt.Sprintf("%d open files, %d at its start", now, fresh)}, nil
}

// openFiles counts a process's descriptors.
func openFiles(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}
