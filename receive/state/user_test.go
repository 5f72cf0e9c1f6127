package state

import (
	"testing"

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
	must(t, s.TouchKey(ctx, "SHA256:a"))
	wantErr(t, s.TouchKey(ctx, "SHA256:none"), ErrNotFound)
	found, err := s.KeyByBlob(ctx, laptop.Blob)
	must(t, err)
	if found.LastUsed.IsZero() {
		t.Error("the use of the key is not noted")
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
