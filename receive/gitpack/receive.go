package gitpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// drainPause is how long a client may pause in a pack that was refused before we take it for the end.
const drainPause = 2 * time.Second

// errSlow is the cause of a context that ended by Limits.Time.
var errSlow = errors.New("the push takes too long")

// RefuseEarly answers in place of the advertisement; the client prints "fatal: remote error: TEXT" and sends nothing.
func RefuseEarly(w io.Writer, text string) error {
	return pktline.NewEncoder(w).EncodeString("ERR " + oneLine(text))
}

// ReceivePack serves one git push and returns the session's exit status: 0, 1 if a ref was refused, 128 if there was no
// protocol to speak. An end of stdin is a half-close; that the client has gone shows when stdout cannot be written, or when
// ctx ends. It returns after Deploy has, and leaves no quarantine.
func (r *Repos) ReceivePack(ctx context.Context, app string, stdin io.Reader, stdout, stderr io.Writer, h Handler) (exit int) {
	start := time.Now()
	log := r.log.With("app", app)
	if !appName.MatchString(app) {
		log.Warn("push", "err", errors.Join(ErrName, RefuseEarly(stdout, "no such app")))
		return 128
	}
	r.enter(app)
	defer r.leave(context.WithoutCancel(ctx), app)
	if err := r.makeRoom(ctx, app); err != nil {
		log.Warn("push", "err", errors.Join(err, RefuseEarly(stdout, reason(err))))
		return 128
	}
	if err := r.advertise(ctx, app, stdout); err != nil {
		log.Error("advertise", "err", errors.Join(err, RefuseEarly(stdout, "internal error")))
		return 128
	}
	receiving, received := context.WithTimeoutCause(ctx, r.limits.Time, errSlow)
	defer received()
	in := startUpload(receiving, stdin, r.limits.Idle)
	defer in.stop()
	q, err := readRequest(in, r.limits)
	if err != nil {
		log.Info("push", "err", errors.Join(err, RefuseEarly(stdout, err.Error())))
		return 128
	}
	if len(q.updates) == 0 {
		return 0
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{repos: r, app: app, request: q, in: in, handler: h}
	lost := func() { cancel(ErrClientGone) }
	s.stream = startStream(stdout, r.limits, q.has("side-band-64k"), lost)
	if q.has("side-band-64k") {
		s.out = band{s.stream, bandProgress}
	} else {
		progress := startStream(stderr, r.limits, false, lost)
		defer func() { _ = progress.close() }() // the report on stdout decides whether the client is there
		s.out = plain{progress}
	}
	exit = s.run(ctx)
	log.Info("push", "exit", exit, "duration", time.Since(start))
	return exit
}

// advertise sends the refs and what we can do, gitprotocol-pack(5) "Reference Discovery".
func (r *Repos) advertise(ctx context.Context, app string, w io.Writer) error {
	refs, err := r.refs(ctx, app)
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		refs = []reference{{ZeroID, "capabilities^{}"}}
	}
	capabilities := "\x00report-status delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 agent=boathook/" + r.version
	var packets bytes.Buffer
	lines := pktline.NewEncoder(&packets)
	for _, ref := range refs {
		if err := lines.Encodef("%s %s%s\n", ref.id, ref.name, capabilities); err != nil {
			return err
		}
		capabilities = ""
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	_, err = w.Write(packets.Bytes())
	return err
}

// session is one push, from the end of the commands on.
type session struct {
	repos   *Repos
	app     string
	request request
	in      *upload
	handler Handler
	stream  *stream
	out     io.Writer // band 2, or stderr

	unpack string // "ok", or why the pack was not taken
	taken  bool   // index-pack has read the pack to its end
}

// run is the story of a push; it ends with a report on every path.
func (s *session) run(ctx context.Context) int {
	s.unpack = "ok"
	for _, line := range judge(s.request.updates, s.request.has("atomic")) {
		fmt.Fprintf(s.out, " !     %s\n", oneLine(line))
	}
	failed := 0
	target := -1
	for i, u := range s.request.updates {
		if u.refused == "" {
			target = i
		} else {
			failed = 1
		}
	}
	if target >= 0 {
		u := &s.request.updates[target]
		if err := s.take(ctx, u); err != nil {
			u.refused = reason(err)
			failed = 1
			s.explain(err)
			s.repos.log.Info("push refused", "app", s.app, "err", err)
		}
	}
	if err := s.report(); err != nil {
		failed = 1
	}
	if s.request.hasPack() && !s.taken {
		s.in.drain(s.repos.limits.InputSize, min(drainPause, s.repos.limits.Idle))
	}
	return failed
}

// take receives, checks, deploys and publishes one update.
func (s *session) take(ctx context.Context, u *update) error {
	quarantine, err := s.repos.newQuarantine(s.app)
	if err != nil {
		return err
	}
	defer func() {
		// What is left is swept at the next start; the push is what it is.
		if err := quarantine.remove(); err != nil {
			s.repos.log.Error("remove quarantine", "app", s.app, "err", err)
		}
	}()
	if err := s.check(ctx, quarantine, u); err != nil {
		return err
	}
	push := &Push{
		App: s.app, Ref: u.ref, Old: u.old, New: u.new, GitDir: quarantine.dir, Options: s.request.options, Out: s.out,
		quarantine: quarantine,
	}
	if stale, err := push.Stale(ctx); err != nil || stale {
		return errors.Join(err, ErrStale)
	}
	if err := s.handler.Deploy(ctx, push); err != nil {
		return err
	}
	if push.published {
		return nil
	}
	return push.Publish(ctx)
}

// check fills the quarantine, and refuses what is not a whole history that ends in a commit.
func (s *session) check(ctx context.Context, q *quarantine, u *update) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.repos.limits.Time, errSlow)
	defer cancel()
	if err := q.grafts(ctx, s.request.shallow); err != nil {
		return err
	}
	selfContained, err := q.indexPack(ctx, s.in)
	if err != nil {
		s.unpack = "index-pack failed"
		return err
	}
	s.taken = true
	kind, err := q.kind(ctx, u.new)
	if err != nil {
		return refuseMissing(ctx, s.repos.limits, err)
	}
	if kind != "commit" {
		return refusal{"not a commit", fmt.Errorf("%s is a %s", u.new, kind), []string{
			fmt.Sprintf("Cannot deploy %.7s, which is a %s and no commit", u.new, kind), "git push scalingo mybranch:master"}}
	}
	// A tip in a pack that is whole in itself needs no second walk; git clone trusts index-pack in the same way.
	if selfContained && len(s.request.shallow) == 0 {
		if held, err := q.holds(u.new); held || err != nil {
			return err
		}
	}
	if err := q.connected(ctx, u.new); err != nil {
		return refuseMissing(ctx, s.repos.limits, err)
	}
	return nil
}

// report sends the status of every ref: nested pkt-lines in band 1, or plain without sideband. Nothing follows it.
func (s *session) report() error {
	var report bytes.Buffer
	if s.request.has("report-status") {
		lines := pktline.NewEncoder(&report)
		err := lines.Encodef("unpack %s\n", s.unpack)
		for _, u := range s.request.updates {
			if u.refused == "" {
				err = errors.Join(err, lines.Encodef("ok %s\n", u.ref))
			} else {
				err = errors.Join(err, lines.Encodef("ng %s %s\n", u.ref, u.refused))
			}
		}
		if err = errors.Join(err, lines.Flush()); err != nil {
			return err
		}
	}
	if !s.request.has("side-band-64k") {
		if report.Len() > 0 {
			return errors.Join(s.stream.send(report.Bytes()), s.stream.close())
		}
		return s.stream.close()
	}
	if _, err := (band{s.stream, bandData}).Write(report.Bytes()); err != nil {
		return err
	}
	return errors.Join(s.stream.send(pktline.FlushPkt), s.stream.close())
}
