package apps

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// ErrEnded is the cause with which a session ends when what it does is allowed no more: the key was removed or has expired, or its user
// has lost the app.
var ErrEnded = errors.New("your access has ended: ask the owner of the app, or an administrator")

// Visit is a session of a caller's. What its operations were allowed is asked for again whenever that may have changed, until it leaves.
type Visit struct {
	Caller Caller          // for the operations
	Access context.Context // ends with the cause ErrEnded when one of them is allowed no more

	service   *Service
	end, stop context.CancelCauseFunc // of Access, and of the session's context
	free      func()

	mu     sync.Mutex // guards what follows
	grants map[grant]bool
}

// grant is what a caller was allowed.
type grant struct {
	caller Caller
	app    string
	need   level
}

// Enter begins a visit; the caller leaves it. The context that it returns ends with ctx and with the visit's Access.
func (s *Service) Enter(ctx context.Context, c Caller) (context.Context, *Visit) {
	access, end := context.WithCancelCause(context.Background())
	v := &Visit{Access: access, service: s, end: end, free: func() {}, grants: map[grant]bool{}}
	if !c.Until.IsZero() {
		v.Access, v.free = context.WithDeadlineCause(access, c.Until, ErrEnded)
	}
	v.Caller = c
	v.Caller.visit = v
	ctx, v.stop = context.WithCancelCause(ctx)
	context.AfterFunc(v.Access, func() { v.stop(context.Cause(v.Access)) })
	s.mu.Lock()
	s.visits[v] = struct{}{}
	s.mu.Unlock()
	v.check(ctx) // the access may have ended since the login
	return ctx, v
}

// check ends the visit if something that it was allowed is allowed no more.
func (v *Visit) check(ctx context.Context) {
	if v.service.holds(ctx, v) {
		return
	}
	v.end(ErrEnded)
	v.stop(ErrEnded) // now, and before anything else ends the session with another cause
}

// Leave ends a visit.
func (v *Visit) Leave() {
	v.service.mu.Lock()
	delete(v.service.visits, v)
	v.service.mu.Unlock()
	v.end(nil)
	v.free()
}

// note remembers what is about to be allowed, before it is checked: so no change can fall between the two. drop is for what was refused.
func (v *Visit) note(g grant) (drop func()) {
	if v == nil {
		return func() {}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.grants[g] = true
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.grants, g)
	}
}

// forget drops what was allowed with an app that is no more, so that who has destroyed it is not sent away.
func (v *Visit) forget(app string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.grants, func(g grant, _ bool) bool { return g.app == app })
}

func (v *Visit) granted() []grant {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.grants))
}

// endAccess follows a change, unless it failed, that may take from somebody what he was allowed: visits of which something is allowed no more
// end, and so do the connections of those who could not log in any more. It returns the change's error.
func (s *Service) endAccess(ctx context.Context, changed error) error {
	if changed != nil {
		return changed
	}
	ctx = context.WithoutCancel(ctx) // the change is made, whoever waits for it
	for _, v := range s.open() {
		v.check(ctx)
	}
	if s.cfg.AccessChanged != nil {
		s.cfg.AccessChanged(ctx)
	}
	return nil
}

func (s *Service) open() (all []*Visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.visits {
		all = append(all, v)
	}
	return all
}

// holds tells whether all that a visit was allowed is allowed still. What cannot be found out is not.
func (s *Service) holds(ctx context.Context, v *Visit) bool {
	err := s.current(ctx, v.Caller)
	for _, g := range v.granted() {
		if err == nil {
			_, err = s.permitted(ctx, g.caller, g.app, g.need)
		}
	}
	if err != nil {
		s.cfg.Log.Info("session ended", "user", v.Caller.User, "remote", v.Caller.Remote, "err", err)
	}
	return err == nil
}
