package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"boathook/receive/state"
	"boathook/runner"
)

// transcriptSize is how much of a deployment's transcript those who come later are shown, in bytes; the stored log has all of it.
const transcriptSize = 4 << 20

// stories are the deployments under way, for those who watch or cancel one.
type stories struct {
	mu  sync.Mutex // guards all
	all []*story   // oldest first
}

// story is a deployment as others than its pusher see it.
type story struct {
	id     int64
	app    string
	output *runner.Log
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended
	err    error         // how; not before done is closed

	mu        sync.Mutex // guards what follows
	switching bool       // too late to cancel it
	cancelled bool
}

// watched makes the deployment one of the stories, with a context that a cancellation ends. end must be called with its outcome.
func (r *deployment) watched(ctx context.Context) (_ context.Context, end func(error)) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.story = &story{id: r.record.ID, app: r.app.Name, output: r.output, cancel: cancel, done: make(chan struct{})}
	r.stories.mu.Lock()
	defer r.stories.mu.Unlock()
	r.stories.all = append(r.stories.all, r.story)
	return ctx, func(err error) {
		r.stories.remove(r.story)
		cancel(nil)
		r.story.err = err
		close(r.story.done)
		_ = r.output.Close() // never fails
	}
}

func (s *stories) remove(gone *story) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.all {
		if one == gone {
			s.all = append(s.all[:i:i], s.all[i+1:]...)
			return
		}
	}
}

// find returns the app's deployment with the id, or its oldest one for 0, if it is under way.
func (s *stories) find(app string, id int64) (*story, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.app == app && (id == 0 || one.id == id) {
			return one, nil
		}
	}
	if id != 0 {
		return nil, fmt.Errorf("deployment %d of %s is not under way: 'deployments %s' lists what became of them", id, app, app)
	}
	return nil, fmt.Errorf("no deployment of %s is under way: 'deployment-logs %s' shows the log of the newest", app, app)
}

// begin makes the switch one that nobody can cancel; an error is the cancellation that came before.
func (r *story) begin(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancelled {
		return context.Cause(ctx)
	}
	r.switching = true
	return nil
}

// abort ends the deployment unless the switch has begun.
func (r *story) abort(by string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.switching {
		return fmt.Errorf("deployment %d of %s goes live at this moment and cannot be cancelled any more: 'rollback %s' brings the version before it back", r.id, r.app, r.app)
	}
	r.cancelled = true
	r.cancel(&Failure{Status: state.Aborted, Text: "The deployment was cancelled by " + by})
	return nil
}

// Cancel implements apps.Runtime. It returns when nothing of the deployment is left.
func (d *Deployer) Cancel(ctx context.Context, app string, id int64, by string) (int64, error) {
	r, err := d.stories.find(app, id)
	if err != nil {
		return 0, err
	}
	if err := r.abort(by); err != nil {
		return 0, err
	}
	select {
	case <-r.done:
		return r.id, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Follow implements apps.Runtime: what the pusher has seen, and then what he sees, to the end of the deployment, whose failure is its own.
func (d *Deployer) Follow(ctx context.Context, app string, w io.Writer) error {
	r, err := d.stories.find(app, 0)
	if err != nil {
		return err
	}
	if err := r.output.Follow(ctx, w); err != nil {
		return err
	}
	if r.err != nil {
		return fmt.Errorf("deployment %d of %s: %s", r.id, app, r.ended())
	}
	return nil
}

// ended is the outcome in the platform's word, as the rest has been printed.
func (r *story) ended() string {
	var failure *Failure
	if errors.As(r.err, &failure) {
		return failure.Reason()
	}
	return r.err.Error()
}
