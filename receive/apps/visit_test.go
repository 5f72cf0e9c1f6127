package apps

import (
	"context"
	"errors"
	"testing"
	"time"
)

// visiting is a session of somebody with a key, which pushes to my-app.
func (w *world) visiting(user string, k NewKey) (context.Context, *Visit) {
	w.t.Helper()
	k.User, k.Name, k.Text = user, user+"'s "+k.App, newKey(w.t)
	w.must(second(w.AddKey(w.t.Context(), operator, k)))
	c, err := w.Login(w.t.Context(), wire(w.t, k.Text), here)
	w.must(err)
	ctx, v := w.Enter(w.t.Context(), c)
	w.t.Cleanup(v.Leave)
	w.must(w.MayDeploy(ctx, v.Caller, "my-app"))
	return ctx, v
}

// ended tells whether a session has. When it does, it is for one reason.
func (w *world) ended(ctx context.Context, v *Visit) bool {
	w.t.Helper()
	if v.Access.Err() == nil {
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		w.t.Error("the session's context does not end")
	}
	if !errors.Is(context.Cause(ctx), ErrEnded) || !errors.Is(context.Cause(v.Access), ErrEnded) {
		w.t.Errorf("causes %v, %v", context.Cause(ctx), context.Cause(v.Access))
	}
	return true
}

// Whatever takes an access away ends what goes on by it, and nothing else.
func TestSessionsEndWithTheirAccess(t *testing.T) {
	for _, test := range []struct {
		name       string
		change     func(ctx context.Context, w *world) error
		colin, key bool // which end: colin's session, and that of his deploy-only key
	}{
		{"the key", func(ctx context.Context, w *world) error { return w.RemoveKey(ctx, colin, "", "colin's ") }, true, false},
		{"the deploy-only key", func(ctx context.Context, w *world) error { return w.RemoveKey(ctx, colin, "", "colin's my-app") }, false, true},
		{"the user", func(ctx context.Context, w *world) error { return w.RemoveUser(ctx, adam, "colin") }, true, true},
		{"the collaborator", func(ctx context.Context, w *world) error {
			return w.RemoveCollaborator(ctx, olga, "my-app", "colin")
		}, true, true},
		{"the right to deploy", func(ctx context.Context, w *world) error {
			return w.AddCollaborator(ctx, olga, "my-app", "colin", LimitedCollaborator)
		}, true, true},
		{"another key", func(ctx context.Context, w *world) error { return w.RemoveKey(ctx, olga, "", "spare") }, false, false},
		{"another collaborator", func(ctx context.Context, w *world) error {
			return w.RemoveCollaborator(ctx, olga, "my-app", "lily")
		}, false, false},
		{"another user", func(ctx context.Context, w *world) error { return w.RemoveUser(ctx, adam, "steve") }, false, false},
		{"a stranger's wish", func(ctx context.Context, w *world) error {
			if err := w.RemoveCollaborator(ctx, steve, "my-app", "colin"); err == nil {
				w.t.Error("done")
			}
			return nil
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			told := 0
			w.cfg.AccessChanged = func(context.Context) { told++ }
			w.must(second(w.AddKey(t.Context(), olga, NewKey{Name: "spare", Text: newKey(t)})))
			ctx, v := w.visiting("colin", NewKey{})
			keyCtx, keyVisit := w.visiting("colin", NewKey{App: "my-app"})
			ownerCtx, owners := w.visiting("olga", NewKey{})
			w.must(test.change(t.Context(), w))
			if got := w.ended(ctx, v); got != test.colin {
				t.Errorf("colin's session ended: %v", got)
			}
			if got := w.ended(keyCtx, keyVisit); got != test.key {
				t.Errorf("the deploy-only key's session ended: %v", got)
			}
			if w.ended(ownerCtx, owners) {
				t.Error("the owner's session ended")
			}
			if told != 1 && test.name != "a stranger's wish" {
				t.Errorf("the connections were looked at %d times", told)
			}
		})
	}
}

// Losing one app ends nothing that goes on with another: else whoever adds and removes a collaborator could abort that user's pushes.
func TestOtherAppsGoOn(t *testing.T) {
	w := newWorld(t)
	w.must(second(w.Create(t.Context(), colin, "colins-app", "")))
	key, err := w.AddKey(t.Context(), colin, NewKey{Name: "laptop", Text: newKey(t)})
	w.must(err)
	ctx, v := w.Enter(t.Context(), Caller{User: "colin", Fingerprint: key.Fingerprint})
	defer v.Leave()
	w.must(w.MayDeploy(ctx, v.Caller, "colins-app"))
	w.must(w.RemoveCollaborator(t.Context(), olga, "my-app", "colin"))
	if w.ended(ctx, v) {
		t.Error("ended")
	}
	// What is refused is no part of the session.
	if got := answerOf(t, w.MayDeploy(ctx, v.Caller, "my-app")); got != noApp {
		t.Errorf("%q", got)
	}
	w.must(w.RemoveUser(t.Context(), adam, "steve"))
	if w.ended(ctx, v) {
		t.Error("ended")
	}
}

func TestSessionsEndWithTheirTime(t *testing.T) {
	w := newWorld(t)
	key, err := w.AddKey(t.Context(), olga, NewKey{Name: "ci", Text: newKey(t)})
	w.must(err)
	ctx, v := w.Enter(t.Context(), Caller{User: "olga", Fingerprint: key.Fingerprint, Until: time.Now().Add(30 * time.Millisecond)})
	defer v.Leave()
	select {
	case <-v.Access.Done():
	case <-time.After(20 * time.Second):
	}
	if !w.ended(ctx, v) {
		t.Error("the session goes on")
	}
}

// Between the login and the session the key may have gone.
func TestEnteringTooLate(t *testing.T) {
	w := newWorld(t)
	ctx, v := w.Enter(t.Context(), Caller{User: "olga", Fingerprint: "SHA256:gone"})
	defer v.Leave()
	if !w.ended(ctx, v) {
		t.Error("entered")
	}
}

// The client that goes away does not end the access: a detached push goes on.
func TestAccessOutlivesTheClient(t *testing.T) {
	w := newWorld(t)
	key, err := w.AddKey(t.Context(), olga, NewKey{Name: "ci", Text: newKey(t)})
	w.must(err)
	client, gone := context.WithCancel(t.Context())
	ctx, v := w.Enter(client, Caller{User: "olga", Fingerprint: key.Fingerprint})
	defer v.Leave()
	w.must(w.MayDeploy(ctx, v.Caller, "my-app"))
	gone()
	if ctx.Err() == nil || v.Access.Err() != nil {
		t.Errorf("context %v, access %v", ctx.Err(), v.Access.Err())
	}
	w.must(w.RemoveKey(t.Context(), olga, "", "ci"))
	if v.Access.Err() == nil {
		t.Error("the access goes on")
	}
}
