package gitpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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
	gone    chan struct{} // closed by lose
	lose    func()        // the client cannot be written to, or reads nothing any more; all but the first call do nothing
	done    chan struct{} // closed when the goroutine has ended
	stall   time.Duration // one Write may last so long
}

// startStream writes to w until close. Lost is called, once, when the client has gone or has stopped reading.
func startStream(w io.Writer, limits Limits, keepalive bool, lost func()) *stream {
	s := &stream{packets: make(chan []byte, 16), gone: make(chan struct{}), done: make(chan struct{}), stall: limits.Stall}
	s.lose = sync.OnceFunc(func() { close(s.gone); lost() })
	go s.write(w, limits.Keepalive, keepalive)
	return s
}

func (s *stream) write(w io.Writer, every time.Duration, keepalive bool) {
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
		stalled := time.AfterFunc(s.stall, s.lose)
		_, err := w.Write(packet)
		if stalled.Stop(); err != nil {
			s.lose()
			return
		}
	}
}

// send queues one packet. It waits for a slow client, but not for one that has gone.
func (s *stream) send(packet []byte) error {
	select {
	case <-s.gone:
		return ErrClientGone
	default:
	}
	select {
	case s.packets <- packet:
		return nil
	case <-s.gone:
		return ErrClientGone
	}
}

// close writes what is queued and stops. No send may follow. A writer stuck in a dead client's Write ends with the session.
func (s *stream) close() error {
	close(s.packets)
	select {
	case <-s.done:
	case <-s.gone:
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

// plain is a writer to a stream without packets of our making: a clone, or the progress of a push without sideband. It
// discards as band does.
type plain struct{ stream *stream }

func (w plain) Write(p []byte) (int, error) {
	for chunk := range slices.Chunk(p, maxBand) {
		if w.stream.send(bytes.Clone(chunk)) != nil {
			break
		}
	}
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
