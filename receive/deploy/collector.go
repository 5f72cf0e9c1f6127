package deploy

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"boathook/receive/applog"
	"boathook/runner"
)

// How long until a container that has ended, or cannot be read, is asked for output again, and until one that is gone is given up on.
const (
	lookForOutput = 5 * time.Second
	lastOutput    = 10 * time.Second
)

// collector carries the output of every container but those of Engine.Run, hooks and attached one-offs, into the logs of their apps. The log knows
// how far each container's output is in it, so that another boathook goes on where this one ended.
type collector struct {
	*Deployer
	tails   map[string]*tail // by the container's id
	reading sync.WaitGroup
}

// tail is a container that is followed.
type tail struct {
	runner.Instance
	news   chan struct{} // holds a token when the container has changed
	gone   chan struct{} // closed when it is gone
	cancel context.CancelFunc
}

// collect follows the containers until ctx ends, and waits for all that it has begun.
func (d *Deployer) collect(ctx context.Context) {
	c := &collector{Deployer: d, tails: map[string]*tail{}}
	defer c.reading.Wait()
	first := true
	for ctx.Err() == nil {
		snapshots, err := d.Engine.Watch(ctx, runner.Selector{})
		if err != nil {
			d.Log.Error("output of containers not followed", "err", err)
			_ = untilStayed(ctx, lookForOutput)
			continue
		}
		for snapshot := range snapshots {
			if first {
				c.retain(ctx, snapshot)
				first = false
			}
			c.update(ctx, snapshot)
		}
	}
}

// retain has the logs forget the containers that went while no boathook was there.
func (c *collector) retain(ctx context.Context, snapshot []runner.Instance) {
	there := map[string]bool{}
	for _, i := range snapshot {
		there[i.ID] = true
	}
	apps, err := c.Store.Apps(ctx)
	for _, app := range apps {
		log, logErr := c.Logbook.Log(app.ID)
		if err = errors.Join(err, logErr); logErr == nil {
			log.Retain(func(id string) bool { return there[id] })
		}
	}
	if err != nil {
		c.Log.Error("marks of former containers not forgotten", "err", err)
	}
}

// update follows what is new and lets go of what is gone.
func (c *collector) update(ctx context.Context, snapshot []runner.Instance) {
	there := map[string]bool{}
	for _, i := range snapshot {
		there[i.ID] = true
		switch t := c.tails[i.ID]; {
		case i.OneOff:
		case t == nil:
			c.begin(ctx, i)
		case t.Instance != i:
			t.Instance = i
			select {
			case t.news <- struct{}{}:
			default:
			}
		}
	}
	for id, t := range c.tails {
		if !there[id] {
			close(t.gone)
			time.AfterFunc(lastOutput, t.cancel)
			delete(c.tails, id)
		}
	}
}

func (c *collector) begin(ctx context.Context, i runner.Instance) {
	app, err := c.Store.App(ctx, i.App)
	if err != nil {
		return // a stray, which the reconciler removes
	}
	log, err := c.Logbook.Log(app.ID)
	if err != nil {
		if !errors.Is(err, applog.ErrRemoved) {
			c.Log.Error("output of a container not kept", "app", i.App, "container", i.Name(), "err", err)
		}
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &tail{Instance: i, news: make(chan struct{}, 1), gone: make(chan struct{}), cancel: cancel}
	c.tails[i.ID] = t
	id, name := i.ID, i.Name()
	c.reading.Go(func() {
		defer cancel()
		defer func() {
			if isClosed(t.gone) {
				log.Forget(id)
			}
		}()
		var told bool
		for {
			whole, more := c.read(ctx, log, id, name)
			if whole && i.Type == oneOff && c.endOneOff(ctx, log, id, &told) {
				log.Forget(id)
				return
			}
			if !more || !t.wait(ctx) {
				return
			}
		}
	})
}

// read carries the output of a container into the log until the container ends. whole is whether that is all so far, more whether there may be more.
func (c *collector) read(ctx context.Context, log *applog.Log, id, name string) (whole, more bool) {
	err := c.Engine.Lines(ctx, id, log.Mark(id), func(line runner.Line) error {
		return log.Append(applog.Entry{At: line.At, Name: name, Text: logText(line.Text), Source: id, Mark: line.Mark})
	})
	switch {
	case err == nil:
		return true, true
	case ctx.Err() != nil, errors.Is(err, applog.ErrRemoved), errors.Is(err, runner.ErrNotFound):
		return false, false
	}
	c.Log.Warn("output of a container broke off", "container", name, "err", err)
	return false, true
}

// wait tells whether, and when, a container that has ended may have more output: it may be started again.
func (t *tail) wait(ctx context.Context) bool {
	timer := time.NewTimer(lookForOutput)
	defer timer.Stop()
	select {
	case <-t.news:
	case <-timer.C:
	case <-t.gone:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// logText is a line as it is kept: what could drive a reader's terminal is removed, colours stay.
func logText(line []byte) string { return printable(string(bytes.TrimSuffix(line, []byte("\r")))) }
