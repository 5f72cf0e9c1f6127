package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUsers(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "a-admin", true)))
	wantErr(t, second(s.CreateUser(ctx, "alice", true)), ErrExists)
	wantErr(t, second(s.User(ctx, "nobody")), ErrNotFound)
	wantErr(t, s.DeleteUser(ctx, "nobody"), ErrNotFound)
	got, err := s.Users(ctx)
	must(t, err)
	want := []User{{Name: "a-admin", Admin: true}, {Name: "alice"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(User{}, "ID", "Created")); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteUser(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.AddKey(ctx, Key{User: "alice", Name: "laptop", Fingerprint: "SHA256:a", Blob: []byte("a")}))
	wantErr(t, s.DeleteUser(ctx, "alice"), ErrInUse)
	if keys, err := s.Keys(ctx, "alice"); err != nil || len(keys) != 1 {
		t.Errorf("keys %v, %v after a refused deletion", keys, err)
	}
	must(t, s.DeleteApp(ctx, "my-app"))
	must(t, s.DeleteUser(ctx, "alice"))
	wantErr(t, second(s.KeyByBlob(ctx, []byte("a"))), ErrNotFound)
}

func TestKeys(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	laptop := Key{User: "alice", Name: "laptop", Type: "ssh-ed25519", Fingerprint: "SHA256:a", Blob: []byte("a\x00b")}
	must(t, s.AddKey(ctx, laptop))
	must(t, s.AddKey(ctx, Key{User: "alice", Name: "ci", Fingerprint: "SHA256:b", Blob: []byte("b")}))
	for _, test := range []struct {
		name string
		key  Key
		want error
	}{
		{"key taken by another", Key{User: "bob", Name: "laptop", Fingerprint: "SHA256:a", Blob: laptop.Blob}, ErrExists},
		{"blob taken", Key{User: "bob", Name: "laptop", Fingerprint: "SHA256:z", Blob: laptop.Blob}, ErrExists},
		{"name taken", Key{User: "alice", Name: "laptop", Fingerprint: "SHA256:c", Blob: []byte("c")}, ErrExists},
		{"no such user", Key{User: "nobody", Name: "laptop", Fingerprint: "SHA256:c", Blob: []byte("c")}, ErrNotFound},
		{"another's name", Key{User: "bob", Name: "laptop", Fingerprint: "SHA256:d", Blob: []byte("d")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) { wantErr(t, s.AddKey(ctx, test.key), test.want) })
	}

	keys, err := s.Keys(ctx, "alice")
	must(t, err)
	if len(keys) != 2 || keys[0].Name != "ci" || keys[1].Name != "laptop" {
		t.Fatalf("keys %+v", keys)
	}
	if diff := cmp.Diff(laptop, keys[1], cmpopts.IgnoreFields(Key{}, "ID", "Added")); diff != "" {
		t.Error(diff)
	}
	must(t, s.UseKey(ctx, "SHA256:none", "192.0.2.1"))
	must(t, s.UseKey(ctx, "SHA256:a", "192.0.2.1"))
	found, err := s.KeyByBlob(ctx, laptop.Blob)
	must(t, err)
	if found.LastUsed.IsZero() || found.LastFrom != "192.0.2.1" {
		t.Errorf("the use of the key is not noted: %+v", found)
	}
	same, err := s.KeyByFingerprint(ctx, "SHA256:a")
	must(t, err)
	if diff := cmp.Diff(found, same); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteKey(ctx, found.ID))
	wantErr(t, s.DeleteKey(ctx, found.ID), ErrNotFound)
	wantErr(t, second(s.KeyByFingerprint(ctx, "SHA256:a")), ErrNotFound)
}

// A use within a minute of the last one from the same address changes nothing, and so costs nothing.
func TestUsesAreRecordedByTheMinute(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.AddKey(ctx, Key{User: "alice", Name: "laptop", Fingerprint: "SHA256:a", Blob: []byte("a")}))
	use := func(from string) time.Time {
		t.Helper()
		must(t, s.UseKey(ctx, "SHA256:a", from))
		k, err := s.KeyByFingerprint(ctx, "SHA256:a")
		must(t, err)
		if k.LastFrom != from {
			t.Errorf("used from %q, want %q", k.LastFrom, from)
		}
		return k.LastUsed
	}
	first := use("192.0.2.1")
	if again := use("192.0.2.1"); again != first {
		t.Errorf("used at %v, recorded again at %v", first, again)
	}
	if elsewhere := use("192.0.2.2"); !elsewhere.After(first) {
		t.Error("another address is not recorded")
	}
	must(t, s.exec(ctx, "test", "UPDATE keys SET last_used = last_used - ?", 61*time.Second.Microseconds()))
	if later := use("192.0.2.2"); later.Before(first) {
		t.Error("a later use is not recorded")
	}
}

func TestKeysForOneApp(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	must(t, second(s.CreateApp(ctx, "next-app", "alice")))
	expires := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, k := range []Key{
		{User: "bob", Name: "ci", App: "my-app", Expires: expires}, {User: "bob", Name: "ci-next", App: "next-app"},
		{User: "bob", Name: "laptop"}, {User: "alice", Name: "ci", App: "my-app"},
	} {
		k.Fingerprint, k.Blob = k.User+k.Name, []byte(k.User+k.Name)
		must(t, s.AddKey(ctx, k))
	}
	wantErr(t, s.AddKey(ctx, Key{User: "bob", Name: "x", Fingerprint: "x", Blob: []byte("x"), App: "no-app"}), ErrNotFound)
	ci, err := s.KeyByFingerprint(ctx, "bobci")
	must(t, err)
	if ci.App != "my-app" || !ci.Expires.Equal(expires) {
		t.Errorf("%+v", ci)
	}
	names := func(user string) (names []string) {
		all, err := s.Keys(ctx, user)
		must(t, err)
		for _, k := range all {
			names = append(names, k.Name)
		}
		return names
	}

	// A collaborator's keys for the app go with the role, and everybody's with the app.
	must(t, s.SetCollaborator(ctx, "my-app", "bob", "collaborator"))
	must(t, s.RemoveCollaborator(ctx, "my-app", "bob"))
	wantErr(t, s.RemoveCollaborator(ctx, "my-app", "bob"), ErrNotFound)
	if diff := cmp.Diff([]string{"ci-next", "laptop"}, names("bob")); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteApp(ctx, "next-app"))
	if diff := cmp.Diff([]string{"laptop"}, names("bob")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ci"}, names("alice")); diff != "" {
		t.Error(diff)
	}
}
