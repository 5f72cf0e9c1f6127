package apps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"boathook/receive/state"
)

// maxEntry bounds an action or a result, in characters.
const maxEntry = 300

// invalid is an error about what was typed, and repeats it. Its words are for the caller alone: what was typed may be a secret in
// the wrong place.
type invalid struct{ error }

func invalidf(format string, args ...any) error { return invalid{fmt.Errorf(format, args...)} }

// fit is a name for the audit: itself if it is one, else "?".
func fit(pattern *regexp.Regexp, name string) string {
	if !pattern.MatchString(name) {
		return "?"
	}
	return name
}

// appOrNone is the name of an app for the audit: "" if it cannot be one.
func appOrNone(name string) string {
	if CheckName(name) != nil {
		return ""
	}
	return name
}

// record stores what came of a request, and returns it. Every change is recorded, made or not, and every refusal.
func (s *Service) record(ctx context.Context, c Caller, app, action string, result error) error {
	text := resultText(result)
	if result != nil {
		s.cfg.Log.Info("request refused", "user", c.User, "fingerprint", c.Fingerprint, "remote", c.Remote, "app", appOrNone(app), "action", action, "err", text)
	}
	if err := s.store(ctx, c, app, action, text); err != nil {
		return errors.Join(result, err)
	}
	return result
}

// resultText is "ok", or what went wrong: in git's words for a push that was refused.
func resultText(result error) string {
	var known interface{ Reason() string }
	switch {
	case result == nil:
		return "ok"
	case errors.As(result, new(invalid)):
		return "invalid input"
	case errors.As(result, &known):
		return known.Reason()
	}
	return result.Error()
}

func (s *Service) store(ctx context.Context, c Caller, app, action, result string) error {
	if err := s.cfg.Store.Audit(context.WithoutCancel(ctx), entryOf(c, app, action, result)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

func entryOf(c Caller, app, action, result string) state.AuditEntry {
	entry := state.AuditEntry{
		User: c.name(), Fingerprint: shorten(strings.TrimSpace(c.Fingerprint + " " + c.Certificate)), Remote: c.Remote, App: appOrNone(app), Action: shorten(action), Result: shorten(result), Class: state.Refused,
	}
	if !c.Operator && c.User == "" {
		entry.Class = state.Stranger
	}
	if result == "ok" {
		entry.Class = state.Changed
	}
	return entry
}

// shorten makes one line of at most maxEntry characters.
func shorten(text string) string {
	line := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(line) > maxEntry {
		line = append(line[:maxEntry-1], '…')
	}
	return string(line)
}

// Audit returns who did, or was refused, what: the newest entries first, at most limit of them (0: all). It is for the operator and for
// administrators.
func (s *Service) Audit(ctx context.Context, c Caller, limit int) ([]state.AuditEntry, error) {
	if err := manages(c, "reads the audit"); err != nil {
		return nil, s.record(ctx, c, "", "audit", err)
	}
	return s.cfg.Store.AuditEntries(ctx, limit)
}

// Timeline is the audit of one app, for its owner: without keys and addresses, which are other people's.
func (s *Service) Timeline(ctx context.Context, c Caller, name string, limit int) ([]state.AuditEntry, error) {
	app, err := s.look(ctx, c, name, "timeline", owner)
	if err != nil {
		return nil, err
	}
	entries, err := s.cfg.Store.AppAudit(ctx, app, limit)
	for i := range entries {
		entries[i].Fingerprint, entries[i].Remote = "", ""
	}
	return entries, err
}

// Pushed records a push that MayDeploy had let in: of which commit to which ref, "" if it was refused before that was clear.
func (s *Service) Pushed(ctx context.Context, c Caller, app, ref, commit string, result error) error {
	words := []string{"push"}
	if commit != "" {
		words = append(words, strings.TrimPrefix(ref, "refs/heads/"), commit[:min(8, len(commit))])
	}
	return s.store(ctx, c, app, strings.Join(words, " "), resultText(result))
}

// KeyRefused records that somebody came with a key that may not log in, and why. Beyond a number of them a minute they are not
// recorded: each is a transaction, and trying costs a stranger nothing.
func (s *Service) KeyRefused(ctx context.Context, fingerprint, remote, why string) error {
	if !s.strangers.admit(time.Now()) {
		return nil
	}
	return s.store(ctx, Caller{Fingerprint: fingerprint, Remote: remote}, "", "login", why)
}

const strangersPerMinute = 60

// strangers counts entries about people without a key.
type strangers struct {
	mu    sync.Mutex // guards what follows
	since time.Time
	count int
}

func (s *strangers) admit(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.since) >= time.Minute {
		s.since, s.count = now, 0
	}
	s.count++
	return s.count <= strangersPerMinute
}
