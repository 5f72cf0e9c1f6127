package apps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"boathook/receive/state"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/crypto/ssh"
)

// audited runs do and returns the entries that it leaves, the oldest first and without their times.
func (w *world) audited(do func()) []state.AuditEntry {
	w.t.Helper()
	before, err := w.store.AuditEntries(w.t.Context(), 0)
	w.must(err)
	do()
	after, err := w.store.AuditEntries(w.t.Context(), 0)
	w.must(err)
	var added []state.AuditEntry
	for i := len(after) - len(before) - 1; i >= 0; i-- {
		added = append(added, after[i])
	}
	return added
}

func (w *world) wantAudit(do func(), want ...state.AuditEntry) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.audited(do), cmpopts.IgnoreFields(state.AuditEntry{}, "At")); diff != "" {
		w.t.Error(diff)
	}
}

// With every refusal it is known who came from where, with which key.
func TestEveryRefusalIsAudited(t *testing.T) {
	actions := map[string]string{
		"ps": "ps", "deployments": "deployments", "deployment": "deployment", "deployment log": "deployment-logs", "logs": "logs",
		"collaborators": "collaborators", "clone": "clone", "timeline": "timeline", "deploy": "push", "variables": "env",
		"set variables": "env-set A", "unset variables": "env-unset SET", "scale": "scale web:2", "restart": "restart", "send signal": "send-signal HUP web", "stats": "stats", "rename": "rename to next-app", "redeploy": "redeploy", "rollback": "rollback 1",
		"add collaborator": "collaborators-add steve", "remove collaborator": "collaborators-remove lily", "may destroy": "destroy", "destroy": "destroy",
	}
	w := newWorld(t)
	for _, op := range operations {
		w.wantAudit(func() { _ = op.do(t.Context(), w.Service, steve, "my-app") }, state.AuditEntry{
			Class: state.Refused, User: "steve", Fingerprint: steve.Fingerprint, Remote: steve.Remote, App: "my-app", Action: actions[op.name], Result: ErrNoApp.Error(),
		})
	}
	for name, do := range map[string]func(context.Context) error{
		"users":                 func(ctx context.Context) error { _, err := w.Users(ctx, steve); return err },
		"audit":                 func(ctx context.Context) error { _, err := w.Audit(ctx, steve, 0); return err },
		"users-add eve --admin": func(ctx context.Context) error { return w.AddUser(ctx, steve, "eve", true) },
		"users-remove lily":     func(ctx context.Context) error { return w.RemoveUser(ctx, steve, "lily") },
		"keys":                  func(ctx context.Context) error { _, err := w.Keys(ctx, steve, "lily"); return err },
		"keys-add": func(ctx context.Context) error {
			_, err := w.AddKey(ctx, steve, NewKey{User: "lily", Name: "laptop", Text: newKey(t)})
			return err
		},
		"keys-remove": func(ctx context.Context) error { return w.RemoveKey(ctx, steve, "lily", "laptop") },
		"create":      func(ctx context.Context) error { _, err := w.Create(ctx, steve, "new-app", "lily"); return err },
	} {
		got := w.audited(func() { wantText(t, do(t.Context()), ErrDenied.Error()) })
		if len(got) != 1 || got[0].Class != state.Refused || got[0].User != "steve" || got[0].Remote != steve.Remote || got[0].Action != name || !strings.HasPrefix(got[0].Result, ErrDenied.Error()) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEveryChangeIsAudited(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text := newKey(t)
	key, err := ParseKey(text)
	w.must(err)
	print := ssh.FingerprintSHA256(key)
	for _, test := range []struct {
		caller      Caller
		app, action string
		do          func(c Caller) error
	}{
		{adam, "", "users-add eve", func(c Caller) error { return w.AddUser(ctx, c, "eve", false) }},
		{operator, "", "users-add root --admin", func(c Caller) error { return w.AddUser(ctx, c, "root", true) }},
		{olga, "", "keys-add " + print, func(c Caller) error { _, err := w.AddKey(ctx, c, NewKey{Name: "laptop", Text: text}); return err }},
		{olga, "", "tokens-add", func(c Caller) error { return second(w.AddToken(ctx, c, NewToken{Name: "ci"})) }},
		{adam, "", "tokens-remove for olga", func(c Caller) error { return w.RemoveToken(ctx, c, "olga", "ci") }},
		{operator, "", "keys-remove " + print + " for olga", func(c Caller) error { return w.RemoveKey(ctx, c, "olga", "laptop") }},
		{adam, "", "users-remove eve", func(c Caller) error { return w.RemoveUser(ctx, c, "eve") }},
		{olga, "new-app", "create", func(c Caller) error { _, err := w.Create(ctx, c, "new-app", ""); return err }},
		{operator, "for-lily", "create for lily", func(c Caller) error { _, err := w.Create(ctx, c, "for-lily", "lily"); return err }},
		{colin, "my-app", "env-set A B", func(c Caller) error {
			return w.SetVariables(ctx, c, "my-app", map[string]string{"B": "a-secret", "A": "a-secret"})
		}},
		{olga, "my-app", "env-unset B", func(c Caller) error { return w.UnsetVariables(ctx, c, "my-app", "B") }},
		{colin, "my-app", "scale web:2 worker:+1:L", func(c Caller) error {
			_, err := w.Scale(ctx, c, "my-app", []Change{{Type: "web", Amount: 2}, {Type: "worker", Amount: 1, Relative: true, Size: "L"}}, silent)
			return err
		}},
		{colin, "my-app", "restart web", func(c Caller) error { return w.Restart(ctx, c, "my-app", []string{"web"}, silent) }},
		{colin, "my-app", "redeploy --hook-only", func(c Caller) error {
			_, err := w.Redeploy(ctx, c, Redeployment{App: "my-app", HookOnly: true, Out: io.Discard})
			return err
		}},
		{colin, "my-app", "rollback 1 --no-hook", func(c Caller) error {
			_, err := w.Rollback(ctx, c, Redeployment{App: "my-app", From: 1, NoHook: true, Out: io.Discard})
			return err
		}},
		{olga, "my-app", "collaborators-add steve --limited", func(c Caller) error { return w.AddCollaborator(ctx, c, "my-app", "steve", LimitedCollaborator) }},
		{olga, "my-app", "collaborators-remove steve", func(c Caller) error { return w.RemoveCollaborator(ctx, c, "my-app", "steve") }},
		{colin, "my-app", "push master c0ffee00", func(c Caller) error { return w.Pushed(ctx, c, "my-app", "refs/heads/master", "c0ffee00c0ffee00", nil) }},
		{olga, "my-app", "destroy", func(c Caller) error { return w.Destroy(ctx, c, "my-app", "my-app", silent) }},
	} {
		test.caller.Fingerprint, test.caller.Remote = "SHA256:o", "192.0.2.2:7"
		user := test.caller.User
		if test.caller.Operator {
			user = "operator"
		}
		w.wantAudit(func() { w.must(test.do(test.caller)) }, state.AuditEntry{
			Class: state.Changed, User: user, Fingerprint: "SHA256:o", Remote: "192.0.2.2:7", App: test.app, Action: test.action, Result: "ok",
		})
	}
}

// reasoned is an error with a reason for git.
type reasoned struct{ error }

func (reasoned) Reason() string { return "hook-error" }

func TestPushesThatFailAreAudited(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	entry := state.AuditEntry{Class: state.Refused, User: "colin", App: "my-app", Action: "push main abc", Result: "hook-error"}
	w.wantAudit(func() {
		w.must(w.Pushed(ctx, colin, "my-app", "refs/heads/main", "abc", fmt.Errorf("deploy: %w", reasoned{errors.New("internals")})))
	}, entry)
	entry.Action, entry.Result = "push", "tag refused"
	w.wantAudit(func() { w.must(w.Pushed(ctx, colin, "my-app", "", "", errors.New("tag refused"))) }, entry)
}

// What is typed in the wrong place may be a secret: neither the audit nor the log repeats it.
func TestMistypedSecretsAreNotRecorded(t *testing.T) {
	const secret = "S3cret/Value"
	w := newWorld(t)
	ctx := t.Context()
	var log bytes.Buffer
	w.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	entries := w.audited(func() {
		for name, err := range map[string]error{
			"value":           w.SetVariables(ctx, olga, "my-app", map[string]string{"A": secret + "\x00"}),
			"name":            w.SetVariables(ctx, olga, "my-app", map[string]string{secret: "1"}),
			"unset":           w.UnsetVariables(ctx, olga, "my-app", secret),
			"user":            w.AddUser(ctx, adam, secret, false),
			"user to remove":  w.RemoveUser(ctx, adam, secret),
			"collaborator":    w.AddCollaborator(ctx, olga, "my-app", secret, Collaborator),
			"role":            w.AddCollaborator(ctx, olga, "my-app", "steve", secret),
			"former":          w.RemoveCollaborator(ctx, olga, "my-app", secret),
			"app":             second(w.Create(ctx, olga, secret, "")),
			"owner":           second(w.Create(ctx, adam, "new-app", secret)),
			"app to use":      second(w.Variables(ctx, olga, secret)),
			"key's name":      second(w.AddKey(ctx, olga, NewKey{Name: secret + "\x1b", Text: newKey(t)})),
			"key":             second(w.AddKey(ctx, olga, NewKey{Name: "laptop", Text: []byte(secret)})),
			"key to remove":   w.RemoveKey(ctx, olga, "", secret),
			"key's app":       second(w.AddKey(ctx, olga, NewKey{Name: "ci", Text: newKey(t), App: secret})),
			"token's name":    second(w.AddToken(ctx, olga, NewToken{Name: secret + "\x1b"})),
			"token to remove": w.RemoveToken(ctx, olga, "", secret),
			"process type":    second(w.Scale(ctx, olga, "my-app", []Change{{Type: secret, Amount: 1}}, silent)),
			"size":            second(w.Scale(ctx, olga, "my-app", []Change{{Type: "web", Amount: 1, Size: secret}}, silent)),
			"destroy":         w.Destroy(ctx, olga, secret, secret, silent),
			"of another user": second(w.Keys(ctx, adam, secret)),
		} {
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
	if len(entries) != 21 {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		if strings.Contains(fmt.Sprint(e), secret) {
			t.Errorf("entry %+v", e)
		}
	}
	if strings.Contains(log.String(), secret) || strings.Count(log.String(), "request refused") != 21 {
		t.Errorf("log %s", log.String())
	}
}

func second[T any](_ T, err error) error { return err }

func TestEntriesAreShortAndOnOneLine(t *testing.T) {
	if got := shorten("a\x1b[2J\nb"); got != "a [2J b" {
		t.Errorf("%q", got)
	}
	if got := []rune(shorten(strings.Repeat("é", 1000))); len(got) != maxEntry || got[maxEntry-1] != '…' {
		t.Errorf("%d characters", len(got))
	}
}

// The owner sees who did or tried what, but neither their addresses nor their keys.
func TestTimeline(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.SetVariables(ctx, colin, "my-app", map[string]string{"TOKEN": "a-secret"}))
	_, err := w.Variables(ctx, steve, "my-app")
	wantText(t, err, ErrNoApp.Error())
	got, err := w.Timeline(ctx, olga, "my-app", 2)
	w.must(err)
	want := []state.AuditEntry{
		{Class: state.Refused, User: "steve", App: "my-app", Action: "env", Result: ErrNoApp.Error()},
		{Class: state.Changed, User: "colin", App: "my-app", Action: "env-set TOKEN", Result: "ok"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(state.AuditEntry{}, "At")); diff != "" {
		t.Error(diff)
	}
}

// Whoever has no key cannot make the database write as often as he likes.
func TestRefusedKeysAreAuditedUpToABound(t *testing.T) {
	w := newWorld(t)
	entries := w.audited(func() {
		for range strangersPerMinute + 10 {
			w.must(w.KeyRefused(t.Context(), "SHA256:x", "192.0.2.9:1", "unknown key"))
		}
	})
	if len(entries) != strangersPerMinute {
		t.Fatalf("%d entries", len(entries))
	}
	want := state.AuditEntry{Class: state.Stranger, Fingerprint: "SHA256:x", Remote: "192.0.2.9:1", Action: "login", Result: "unknown key"}
	if diff := cmp.Diff(want, entries[0], cmpopts.IgnoreFields(state.AuditEntry{}, "At")); diff != "" {
		t.Error(diff)
	}
}
