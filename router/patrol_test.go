package router

import (
	"net"
	"testing"
	"time"
)

// pair is a connection of the fast path with its client.
func pair(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = accepted.Close() })
	r := New(Config{})
	t.Cleanup(func() { _ = r.Close() })
	return newConn(NewServer(r), accepted, accepted), client
}

// TestPatrol cuts off what does not move for as long as its phase allows, for the reason that fits.
func TestPatrol(t *testing.T) {
	const s = time.Second
	cfg := Config{FirstByte: 30 * s, Idle: 60 * s, Header: 20 * s, KeepAlive: 75 * s}
	for _, test := range []struct {
		name  string
		doing phase
		limit time.Duration
		why   *refusal
	}{
		{"idle", idle, 75 * s, errSlowClient},
		{"heading", heading, 20 * s, errSlowClient},
		{"receipt", receipt, 60 * s, errSlowClient},
		{"waiting", waiting, 30 * s, errFirstByte},
		{"answer", answer, 60 * s, errIdle},
		{"tunnel", tunnel, 60 * s, errIdle},
		{"dialing", dialing, 0, nil},
		{"settling", settling, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := pair(t)
			p, now := newPatrol(cfg), time.Now()
			_ = c.enter(test.doing)
			for range 3 { // each movement starts the clock anew
				p.look(c, now)
				if now = now.Add(test.limit - s); c.verdict() != nil {
					t.Fatal("cut off too early")
				}
				p.look(c, now)
				p.look(c, now)
				_ = c.enter(test.doing)
			}
			p.look(c, now)
			p.look(c, now.Add(test.limit/2))
			p.look(c, now.Add(test.limit+s))
			if got := c.verdict(); got != test.why {
				t.Errorf("%v, want %v", got, test.why)
			}
		})
	}
}

// TestPatrolBytes sees what the kernel moves by itself, and that a body's end is a movement.
func TestPatrolBytes(t *testing.T) {
	c, client := pair(t)
	p, now := newPatrol(Config{FirstByte: 30 * time.Second, Idle: 60 * time.Second, Header: time.Second, KeepAlive: time.Second}), time.Now()
	c.sending.Store(&sending{})
	_ = c.enter(waiting)
	p.look(c, now)
	p.look(c, now)
	for range 3 {
		before := c.transferred()
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		for c.transferred() == before {
			time.Sleep(time.Millisecond)
		}
		now = now.Add(61 * time.Second)
		if p.look(c, now); c.verdict() != nil {
			t.Fatal("cut off while bytes came")
		}
	}
	now = now.Add(59 * time.Second)
	p.look(c, now)
	c.moved.Add(1)
	c.sending.Store(nil)
	p.look(c, now)
	if p.look(c, now.Add(29*time.Second)); c.verdict() != nil {
		t.Fatal("the container's time began before it had the body")
	}
	if p.look(c, now.Add(31*time.Second)); c.verdict() != errFirstByte {
		t.Error(c.verdict())
	}
}

// TestPatrolGone ends a request whose client has gone, not one whose client has already sent the next.
func TestPatrolGone(t *testing.T) {
	c, client := pair(t)
	p, now := newPatrol(Config{}.withDefaults()), time.Now()
	_ = c.enter(waiting)
	if _, err := client.Write([]byte("GET")); err != nil {
		t.Fatal(err)
	}
	for peek(c.plain) == quiet {
		time.Sleep(time.Millisecond)
	}
	p.look(c, now)
	if p.look(c, now); c.verdict() != nil {
		t.Error(c.verdict())
	}
	if _, err := c.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	for peek(c.plain) == quiet {
		time.Sleep(time.Millisecond)
	}
	if p.look(c, now); c.verdict() != errGone {
		t.Error(c.verdict())
	}
}
