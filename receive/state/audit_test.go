package state

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAudit(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	all := []AuditEntry{
		{Class: Changed, User: "alice", Fingerprint: "SHA256:a", Remote: "192.0.2.1:5", App: "my-app", Action: "scale", Result: "ok"},
		{Class: Stranger, Fingerprint: "SHA256:x", Remote: "192.0.2.2:5", Action: "login", Result: "unknown key"},
		{Class: Refused, User: "bob", App: "my-app", Action: "env", Result: "no such app"},
	}
	for _, e := range all {
		must(t, s.Audit(ctx, e))
	}
	got, err := s.AuditEntries(ctx, 0)
	must(t, err)
	want := []AuditEntry{all[2], all[1], all[0]}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(AuditEntry{}, "At")); diff != "" {
		t.Error(diff)
	}
	if got[0].At.Before(got[2].At) || got[2].At.IsZero() {
		t.Errorf("times %v, %v", got[0].At, got[2].At)
	}
	if got, err = s.AuditEntries(ctx, 2); err != nil || len(got) != 2 || got[0].User != "bob" {
		t.Errorf("the newest two: %+v, %v", got, err)
	}
}

func TestAppAuditForgetsAnEarlierAppOfTheName(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.Audit(ctx, AuditEntry{App: "my-app", Action: "before"}))
	must(t, s.exec(ctx, "age", "UPDATE audit SET at = at - 10000000"))
	must(t, s.DeleteApp(ctx, "my-app"))
	app, err := s.CreateApp(ctx, "my-app", "alice")
	must(t, err)
	must(t, s.Audit(ctx, AuditEntry{App: "my-app", Action: "after"}))
	must(t, s.Audit(ctx, AuditEntry{App: "other-app", Action: "elsewhere"}))
	got, err := s.AppAudit(ctx, app, 0)
	must(t, err)
	if len(got) != 1 || got[0].Action != "after" {
		t.Errorf("entries %+v", got)
	}
}

// A flood of refusals pushes out older refusals, and nothing else.
func TestAuditIsBounded(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.Audit(ctx, AuditEntry{Class: Changed, Action: "the first"}))
	must(t, s.Audit(ctx, AuditEntry{Class: Stranger, Action: "a stranger"}))
	const beyond = 3 * auditSlack
	must(t, s.exec(ctx, "flood", fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO audit (at, class, user, fingerprint, remote, app, action, result) SELECT i, %d, 'bob', '', '', '', i, 'no' FROM n`, auditBound[Refused]+beyond, Refused)))
	for range auditSlack {
		must(t, s.Audit(ctx, AuditEntry{Class: Refused, Action: "last"}))
	}
	count := map[AuditClass]int64{}
	entries, err := s.AuditEntries(ctx, 0)
	must(t, err)
	for _, e := range entries {
		count[e.Class]++
	}
	if n := count[Refused]; n < auditBound[Refused] || n > auditBound[Refused]+auditSlack {
		t.Errorf("%d refusals are kept, bound %d", n, auditBound[Refused])
	}
	if count[Changed] != 1 || count[Stranger] != 1 || entries[0].Action != "last" {
		t.Errorf("kept %v, the newest %+v", count, entries[0])
	}
}
