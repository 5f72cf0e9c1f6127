package router

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func pipes() func() (net.Conn, error) {
	return func() (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		return ours, nil
	}
}

// TestPoolAge closes connections that nobody has used for a while, and keeps those that are used.
func TestPoolAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pool
		a, errA := p.open(nil, pipes())
		b, errB := p.open(nil, pipes())
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		p.put(a)
		p.put(b)
		for range 8 {
			time.Sleep(idleUpstream / 4)
			u, why := p.take(nil)
			if u != b || why != nil {
				t.Fatal("the connection that is used was not kept:", u, why)
			}
			p.put(u)
		}
		synctest.Wait()
		if p.mu.Lock(); len(p.all) != 1 || len(p.idle) != 1 {
			t.Errorf("%d connections, %d idle", len(p.all), len(p.idle))
		}
		p.mu.Unlock()
		time.Sleep(2 * idleUpstream)
		if u, why := p.take(nil); u != nil || why != nil {
			t.Error("a connection is still there:", u, why)
		}
		p.close()
	})
}

// TestPoolSever closes every connection, lends none any more, and takes none back.
func TestPoolSever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pool
		idle, _ := p.open(nil, pipes())
		busy, _ := p.open(nil, pipes())
		p.put(idle)
		p.sever()
		for name, u := range map[string]*upstream{"idle": idle, "busy": busy} {
			if _, err := u.Write([]byte("x")); err == nil {
				t.Errorf("the %s connection is open", name)
			}
		}
		p.put(busy)
		if u, why := p.take(nil); u != nil || why != errSevered {
			t.Error(u, why)
		}
		if _, err := p.open(nil, pipes()); err != errSevered {
			t.Error(err)
		}
		p.close()
	})
}
