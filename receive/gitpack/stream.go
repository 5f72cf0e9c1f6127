package gitpack

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrClientGone is the cause of a deployment's ctx whose pusher no longer listens.
var ErrClientGone = errors.New("the client has gone")

// Bands of side-band-64k.
const (
	bandData     = 1
	bandProgress = 2
	bandFatal    = 3
)

// maxBand is the payload of one sideband packet, the band's own byte not counted.
const maxBand = 65515

// stream is the only writer of a client's standard output. One goroutine writes, a packet at a time, and sends an empty
// packet when there has been nothing else for a while; that its write fails is how a vanished client shows.
type stream struct {
	packets chan []byte
	gone    chan struct{} // closed when the client cannot be written to
	done    chan struct{} // closed when the goroutine has ended
	stall   time.Duration
}

// startStream writes to w until close. Lost is called, once, when the client has gone.
func startStream(w io.Writer, limits Limits, keepalive bool, lost func()) *stream {
	s := &stream{packets: make(chan []byte, 16), gone: make(chan struct{}), done: make(chan struct{}), stall: limits.Stall}
	go s.write(w, limits.Keepalive, keepalive, lost)
	return s
}

func (s *stream) write(w io.Writer, every time.Duration, keepalive bool, lost func()) {
	defer close(s.done)
	timer := time.NewTicker(every)
	defer timer.Stop()
	for {
		packet := []byte("0005\x01")
		select {
		case next, ok := <-s.packets:
			if !ok {
				return
			}
			packet = next
			timer.Reset(every)
		case <-timer.C:
			if !keepalive {
				continue
			}
		}
		if _, err := w.Write(packet); err != nil {
			close(s.gone)
			lost()
			return
		}
	}
}

// send queues one packet. It waits for a slow client, but not for one that has gone or reads nothing any more.
func (s *stream) send(packet []byte) error {
	timer := time.NewTimer(s.stall)
	defer timer.Stop()
	select {
	case s.packets <- packet:
		return nil
	case <-s.gone:
		return ErrClientGone
	case <-timer.C:
		return fmt.Errorf("%w: nothing read for %s", ErrClientGone, s.stall)
	}
}

// close writes what is queued and stops. No send may follow. A writer stuck in a dead client's Write ends with the session.
func (s *stream) close() error {
	close(s.packets)
	select {
	case <-s.done:
	case <-time.After(s.stall):
		return ErrClientGone
	}
	select {
	case <-s.gone:
		return ErrClientGone
	default:
		return nil
	}
}

// band is a writer to one band. After the client has gone it discards: a deployment must not fail of its output.
type band struct {
	stream *stream
	number byte
}

func (b band) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), maxBand)
		packet := fmt.Appendf(make([]byte, 0, n+5), "%04x%c", n+5, b.number)
		if b.stream.send(append(packet, rest[:n]...)) != nil {
			break
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// discardErrors writes to w and never fails: the progress of a client without sideband.
type discardErrors struct{ w io.Writer }

func (d discardErrors) Write(p []byte) (int, error) {
	d.w.Write(p) //nolint:errcheck // the reader may be gone, which the caller must not feel
	return len(p), nil
}

// oneLine makes text fit for git's report: printable, without line ends, short.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == '\uFFFD' {
			return ' '
		}
		return c
	}, text)
	words := []rune(strings.Join(strings.Fields(text), " "))
	return string(words[:min(len(words), 200)])
}
