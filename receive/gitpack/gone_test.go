package gitpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// client is a pusher held in the hand: what it sends is written to stdin, what it is told gathers.
type client struct {
	t      *testing.T
	stdin  *io.PipeWriter
	stdout *io.PipeReader
	cancel context.CancelFunc
	exit   chan int

	mu  sync.Mutex // guards out
	out bytes.Buffer
}

// connect starts a push into app.
func (w *world) connect(t *testing.T, app string, h Handler) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	c := &client{t: t, stdin: stdin, stdout: stdout, cancel: cancel, exit: make(chan int, 1)}
	go func() {
		defer in.Close()
		c.exit <- w.repos.ReceivePack(ctx, app, in, out, io.Discard, h)
	}()
	go c.listen()
	t.Cleanup(func() { c.vanish(true); c.wait() })
	return c
}

func (c *client) listen() {
	buffer := make([]byte, 4096)
	for {
		n, err := c.stdout.Read(buffer)
		c.mu.Lock()
		c.out.Write(buffer[:n])
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *client) heard(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Count(c.out.Bytes(), []byte(text))
}

// send writes all of r, or until the server reads no more.
func (c *client) send(r io.Reader) { io.Copy(c.stdin, r) } //nolint:errcheck // a client that is gone cannot be told

// vanish is the end of the connection, or only of the channel as with ControlMaster: then stdin ends, nobody reads stdout, and
// the context lives on.
func (c *client) vanish(connection bool) {
	c.stdout.CloseWithError(errors.New("broken pipe"))
	if connection {
		c.cancel()
	} else {
		c.stdin.Close()
	}
}

func (c *client) wait() int {
	c.t.Helper()
	select {
	case exit := <-c.exit:
		c.exit <- exit
		return exit
	case <-time.After(20 * time.Second):
		c.t.Fatal("the push does not end")
		return -1
	}
}

// eventually polls.
func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); !happens(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("does not happen: %s", what)
		}
	}
}

func (w *world) quarantines(app string) int {
	found, _ := filepath.Glob(filepath.Join(w.repos.Path(app), "objects", quarantinePrefix+"*"))
	return len(found)
}

// The client goes, by Ctrl-C or with its network, at every stage of a push.
func TestClientGoes(t *testing.T) {
	tip, whole := simplePush()
	for _, connection := range []bool{true, false} {
		for _, stage := range []string{"before the commands", "in the commands", "in the pack", "in the deployment", "after publishing"} {
			t.Run(fmt.Sprintf("%s, connection %t", stage, connection), func(t *testing.T) {
				w := newWorld(t)
				deploying := make(chan struct{})
				c := w.connect(t, "my-app", deployFunc(func(ctx context.Context, p *Push) error {
					if stage == "after publishing" {
						if err := p.Publish(ctx); err != nil {
							t.Error(err)
						}
					}
					close(deploying)
					<-ctx.Done()
					fmt.Fprintln(p.Out, "nobody hears this")
					if stage == "after publishing" {
						return nil
					}
					return context.Cause(ctx)
				}))
				eventually(t, "advertisement", func() bool { return c.heard("0000") > 0 })
				all, err := io.ReadAll(input(t, "report-status side-band-64k", master, tip.id(), whole))
				if err != nil {
					t.Fatal(err)
				}
				want := ZeroID
				switch stage {
				case "in the commands":
					c.send(bytes.NewReader(all[:60]))
				case "in the pack":
					c.send(bytes.NewReader(all[:len(all)-40]))
					eventually(t, "index-pack", func() bool { return len(children()) == 1 })
				case "after publishing":
					want = tip.id()
					fallthrough
				case "in the deployment":
					c.send(bytes.NewReader(all))
					<-deploying
				}
				c.vanish(connection)
				if exit := c.wait(); exit == 0 && stage != "before the commands" && stage != "in the commands" {
					t.Error("exit 0")
				}
				w.head(master, want)
				w.clean()
				if exit := w.repos.ReceivePack(t.Context(), "my-app", bytes.NewReader([]byte("0000")), io.Discard, io.Discard, mustNotDeploy(t)); exit != 0 {
					t.Errorf("the next client: exit %d", exit)
				}
			})
		}
	}
}

// A client that is slow, or stays but says nothing, is sent away with a reason.
func TestSlowClients(t *testing.T) {
	tip, whole := simplePush()
	for name, tt := range map[string]struct {
		limits Limits
		bytes  int // of the push; the rest never comes
		want   string
	}{
		"silent before the commands": {Limits{Idle: 50 * time.Millisecond}, 0, "ERR commands: the client has sent nothing for too long"},
		"silent in the pack":         {Limits{Idle: time.Second}, -40, "Nothing came for 1s in the middle of this push"}, // longer than what comes before takes
		"slow in the commands":       {Limits{Time: 50 * time.Millisecond}, 60, "ERR commands: the push takes too long"},
		"slow in the pack":           {Limits{Time: 2 * time.Second}, -40, "ng refs/heads/master push took too long"}, // so is this
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.repos.limits = tt.limits.withDefaults()
			c := w.connect(t, "my-app", mustNotDeploy(t))
			all, err := io.ReadAll(input(t, "report-status side-band-64k", master, tip.id(), whole))
			if err != nil {
				t.Fatal(err)
			}
			c.send(bytes.NewReader(all[:(tt.bytes+len(all))%len(all)]))
			if exit := c.wait(); exit == 0 {
				t.Error("exit 0")
			}
			eventually(t, tt.want, func() bool { return c.heard(tt.want) == 1 })
			w.head(master, ZeroID)
			w.clean()
		})
	}
}

// One byte at a time is no silence: whoever sends within the idle time gets through.
func TestByteByByte(t *testing.T) {
	tip, whole := simplePush()
	w := newWorld(t)
	all, err := io.ReadAll(input(t, "report-status side-band-64k", master, tip.id(), whole))
	if err != nil {
		t.Fatal(err)
	}
	c := w.connect(t, "my-app", testHandler("publish"))
	for i := range all {
		c.send(bytes.NewReader(all[i : i+1]))
	}
	if exit := c.wait(); exit != 0 {
		t.Errorf("exit %d", exit)
	}
	w.head(master, tip.id())
}

// A pack waits while as many as may are being unpacked.
func TestConcurrentPacks(t *testing.T) {
	tip, whole := simplePush()
	w := newWorld(t)
	w.repos.packing = make(chan struct{}, 1)
	if err := w.repos.Create(t.Context(), "other1"); err != nil {
		t.Fatal(err)
	}
	first := w.connect(t, "my-app", mustNotDeploy(t))
	first.send(input(t, "report-status side-band-64k", master, tip.id(), whole[:40]))
	eventually(t, "index-pack", func() bool { return len(children()) == 1 })
	second := w.connect(t, "other1", testHandler("publish"))
	second.send(input(t, "report-status side-band-64k", master, tip.id(), whole))
	eventually(t, "keepalives of the second push", func() bool { return second.heard("0005\x01") > 20 })
	eventually(t, "quarantine of the second push", func() bool { return w.quarantines("other1") == 1 })
	if n := len(children()); n != 1 {
		t.Errorf("%d git processes; want the second push to wait", n)
	}
	// One that goes while it waits leaves nothing.
	third := w.connect(t, "my-app", mustNotDeploy(t))
	third.send(input(t, "report-status side-band-64k", master, tip.id(), whole))
	eventually(t, "third quarantine", func() bool { return w.quarantines("my-app") == 2 })
	third.vanish(true)
	if exit := third.wait(); exit == 0 || w.quarantines("my-app") != 1 {
		t.Errorf("third: exit %d, %d quarantines", exit, w.quarantines("my-app"))
	}
	first.vanish(true)
	first.wait()
	if exit := second.wait(); exit != 0 {
		t.Errorf("second: exit %d", exit)
	}
	w.clean()
}
