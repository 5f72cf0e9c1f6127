package local

import (
	"path/filepath"
	"sync"
	"time"

	"boathook/runner"
)

// instance is one container of this engine.
type instance struct {
	dir string
	out output

	// done is closed when nothing of the instance runs and nothing will be started any more, or when
	// the engine was closed.
	done chan struct{}
	// stopped is closed when the instance is to be removed: no restart after that.
	stopped chan struct{}
	// busy holds a token while somebody starts the instance for the first time, or removes it.
	busy chan struct{}

	saving sync.Mutex // orders the writers of the record's file; taken before Engine.mu

	// Guarded by Engine.mu. The fields of rec that do not change after its making (group, ID, number,
	// image, argv, environment) are read without.
	rec     record
	proc    *process // nil while none runs
	removed bool
}

func (e *Engine) newInstance(dir string, rec record) *instance {
	return &instance{
		dir:     dir,
		rec:     rec,
		out:     output{path: filepath.Join(dir, "output"), keep: e.cfg.OutputSize},
		done:    make(chan struct{}),
		stopped: make(chan struct{}),
		busy:    make(chan struct{}, 1),
	}
}

// public is the instance as callers see it. Callers hold Engine.mu.
func (i *instance) public() runner.Instance {
	r := &i.rec
	pub := runner.Instance{
		Group:    r.Group,
		ID:       r.ID,
		Number:   r.Number,
		Phase:    r.Phase,
		Image:    r.Image,
		ExitCode: r.ExitCode,
		Started:  r.Started,
		Restarts: r.Restarts,
		OneOff:   r.OneOff,
	}
	if len(r.Argv) > 0 {
		pub.Command = r.Argv[len(r.Argv)-1]
	}
	if r.Phase == runner.Running && r.Port != 0 {
		pub.Addr = loopback(r.Port)
	}
	return pub
}

// marks are the environment entries that tell the instance's processes from all others.
func (i *instance) marks() []string {
	return []string{"TMPDIR=" + tmpDir(i.dir), "HOME=" + appDir(i.dir)}
}

// change applies f to the record, tells those who watch, and writes the record.
func (e *Engine) change(i *instance, f func(*record)) error {
	i.saving.Lock()
	defer i.saving.Unlock()
	e.mu.Lock()
	f(&i.rec)
	rec := i.rec
	e.announce()
	e.mu.Unlock()
	return rec.write(i.dir)
}

// running is the process of the instance, nil if there is none.
func (e *Engine) running(i *instance) *process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return i.proc
}

// all returns every instance, in no order.
func (e *Engine) all() []*instance { return e.selected(runner.Selector{}) }

// exited notes the end of the instance's process.
func (e *Engine) exited(i *instance, code int) {
	err := e.change(i, func(r *record) {
		i.proc = nil
		r.Phase = runner.Exited
		if r.Keep && !closed(i.stopped) {
			r.Phase = runner.Restarting
		}
		r.ExitCode = code
		r.PID, r.ProcessID = 0, ""
	})
	if err != nil {
		// The record still names the process, which the next boathook will find gone.
		e.cfg.Log.Error("exit not recorded", "instance", i.rec.ID, "err", err)
	}
}

// started notes a new process. It tells whether the instance is still wanted; if not, the process is to be killed.
func (e *Engine) started(i *instance, p *process) (wanted bool, err error) {
	err = e.change(i, func(r *record) {
		i.proc = p
		r.Phase = runner.Running
		r.PID, r.ProcessID = p.pid, p.id
		r.ExitCode = 0
		if !r.Started.IsZero() {
			r.Restarts++
		}
		r.Started = time.Now()
		wanted = !closed(i.stopped)
	})
	return wanted, err
}
