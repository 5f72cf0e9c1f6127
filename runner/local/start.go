package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"boathook/runner"
)

// Start is described by [runner.Engine]. A command that is not there is an error of Start.
func (e *Engine) Start(ctx context.Context, spec runner.Spec) ([]runner.Instance, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	made, err := e.startAll(ctx, spec)
	if err != nil {
		err = fmt.Errorf("start %s: %w", spec.Group, err)
		return nil, errors.Join(err, e.removeAll(context.WithoutCancel(ctx), made, 0))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]runner.Instance, len(made))
	for at, i := range made {
		list[at] = i.public()
	}
	return list, nil
}

// startAll returns what it has made also with an error.
func (e *Engine) startAll(ctx context.Context, spec runner.Spec) (made []*instance, err error) {
	for n := 0; n < spec.Replicas && err == nil; n++ {
		var i *instance
		if i, err = e.create(ctx, spec, max(spec.First, 1)+n, false); err == nil {
			made = append(made, i)
		}
	}
	for _, i := range made {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = e.ignite(i, nil)
		} else {
			e.watchOver(i, nil)
		}
		<-i.busy
	}
	return made, err
}

// ignite launches a new instance and has it watched over, also if it could not be launched.
func (e *Engine) ignite(i *instance, with *stdio) error {
	p, err := e.launch(i, with)
	e.watchOver(i, p)
	if err != nil {
		return fmt.Errorf("%s-%d: %w", i.rec.Type, i.rec.Number, err)
	}
	return nil
}

// create makes an instance that is pending: its directory, with the copy of the image, and its record. The caller
// has its busy token, and must call watchOver. On an error nothing of it is left.
func (e *Engine) create(ctx context.Context, spec runner.Spec, number int, oneOff bool) (*instance, error) {
	if err := checkImage(spec.Image); err != nil {
		return nil, err
	}
	if len(spec.Argv) == 0 {
		return nil, errors.New("an image of the local engine has no command of its own: give one in the Procfile")
	}
	id := newID()
	i := e.newInstance(filepath.Join(e.cfg.Dir, "instances", id), record{
		Version:  recordVersion,
		Group:    spec.Group,
		ID:       id,
		Number:   number,
		Image:    spec.Image,
		Argv:     slices.Clone(spec.Argv),
		Env:      maps.Clone(spec.Env),
		WantPort: spec.Port,
		OneOff:   oneOff,
		Phase:    runner.Pending,
	})
	if err := i.fill(ctx); err != nil {
		return nil, errors.Join(err, removeTree(i.dir))
	}
	i.busy <- struct{}{}
	if err := e.register(i); err != nil {
		return nil, errors.Join(err, removeTree(i.dir))
	}
	return i, nil
}

// register makes a new instance known, unless its group has one of the same number.
func (e *Engine) register(i *instance) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, other := range e.instances {
		if other.rec.Group == i.rec.Group && other.rec.Number == i.rec.Number {
			return fmt.Errorf("%s-%d exists already", i.rec.Type, i.rec.Number)
		}
	}
	e.instances[i.rec.ID] = i
	e.announce()
	return nil
}

// newID returns a name that no instance ever had: 16 letters and digits, 80 random bits. It is short
// because sockets in the instance's directory have paths of at most 107 bytes (unix(7)).
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// fill makes what the instance's directory holds.
func (i *instance) fill(ctx context.Context) error {
	if err := os.Mkdir(i.dir, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(tmpDir(i.dir), 0o700); err != nil {
		return err
	}
	if err := copyTree(ctx, appDir(i.dir), i.rec.Image); err != nil {
		return err
	}
	return i.rec.write(i.dir)
}

// launch starts the instance's process with these streams; if there are none, it reads nothing and writes to the instance's output. The
// caller waits for the process, also with an error if it is not nil.
func (e *Engine) launch(i *instance, with *stdio) (*process, error) {
	if err := e.settlePort(i); err != nil {
		return nil, err
	}
	if with == nil {
		f, err := i.out.open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		with = &stdio{out: f, err: f}
	}
	e.mu.Lock()
	rec := i.rec
	e.mu.Unlock()
	p, err := startProcess(rec.command(i.dir), appDir(i.dir), rec.environ(i.dir), i.marks(), *with)
	if err != nil {
		return nil, err
	}
	wanted, err := e.started(i, p)
	if err != nil || !wanted {
		err = errors.Join(err, p.kill())
	}
	return p, err
}

// settlePort gives an instance that wants a port one, another one if somebody else listens on what it had.
func (e *Engine) settlePort(i *instance) error {
	e.mu.Lock()
	want, old := i.rec.WantPort, i.rec.Port
	e.mu.Unlock()
	if !want || old != 0 && portFree(old) {
		return nil
	}
	port, err := e.takePort()
	if err != nil {
		return err
	}
	if old != 0 {
		e.givePort(old)
	}
	return e.change(i, func(r *record) { r.Port = port })
}
