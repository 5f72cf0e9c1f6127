package applog

import "time"

// A source may write rate bytes a second for long, and burst at once. A line costs lineCost more than it is long.
const (
	rate     = 1 << 20
	burst    = 4 << 20
	lineCost = 100
	// tellAfter is how long dropped lines are counted before they are told, if no other line comes.
	tellAfter = time.Second
)

// source is a container, or something else that prints. Log.mu guards it.
type source struct {
	name, id string
	mark     string

	spent   int64     // bytes that count against burst
	last    time.Time // when spent was right
	dropped int       // lines since the last one that was kept
	timer   *time.Timer
}

// spend tells whether the source may write one more line of size bytes.
func (s *source) spend(size int, now time.Time) bool {
	s.spent = max(0, s.spent-int64(now.Sub(s.last).Seconds()*rate))
	s.last = now
	cost := int64(size + lineCost)
	if s.spent+cost > burst {
		return false
	}
	s.spent += cost
	return true
}

// drop counts a line; tell is called if the source is silent for a while.
func (s *source) drop(tell func()) {
	s.dropped++
	if s.timer == nil {
		s.timer = time.AfterFunc(tellAfter, tell)
	}
}

func (s *source) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}
