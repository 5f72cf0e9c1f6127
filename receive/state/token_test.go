package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTokens(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	want := Token{User: "bob", Name: "ci", Hash: []byte("hash"), Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	id, err := s.AddToken(ctx, want)
	must(t, err)
	wantErr(t, second(s.AddToken(ctx, want)), ErrExists)
	wantErr(t, second(s.AddToken(ctx, Token{User: "nobody", Name: "ci", Hash: []byte("x")})), ErrNotFound)
	must(t, second(s.AddToken(ctx, Token{User: "alice", Name: "ci", Hash: []byte("hash")})))

	got, err := s.Token(ctx, id)
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Token{}, "ID", "Added")); diff != "" || got.ID != id || got.Added.IsZero() {
		t.Errorf("%+v %s", got, diff)
	}
	must(t, s.UseToken(ctx, id))
	all, err := s.Tokens(ctx, "bob")
	must(t, err)
	if len(all) != 1 || all[0].LastUsed.IsZero() {
		t.Errorf("tokens %+v", all)
	}
	must(t, s.UseToken(ctx, id))
	if again, err := s.Token(ctx, id); err != nil || again.LastUsed != all[0].LastUsed {
		t.Errorf("a use within a minute was recorded: %+v, %v", again, err)
	}

	must(t, s.DeleteToken(ctx, "bob", "ci"))
	wantErr(t, s.DeleteToken(ctx, "bob", "ci"), ErrNotFound)
	wantErr(t, second(s.Token(ctx, id)), ErrNotFound)
	must(t, second(s.AddToken(ctx, want)))
	must(t, s.DeleteUser(ctx, "bob"))
	if all, err := s.Tokens(ctx, "bob"); err != nil || len(all) > 0 {
		t.Errorf("tokens of nobody: %+v, %v", all, err)
	}
}
