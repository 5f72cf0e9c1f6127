package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func withCertificate(t *testing.T) *Store {
	t.Helper()
	s := withApp(t)
	must(t, s.AddDomain(t.Context(), "my-app", "shop.example.org"))
	must(t, s.SetCertificate(t.Context(), "my-app", Certificate{Host: "shop.example.org", Chain: "the chain", Key: "secret-key-value"}))
	return s
}

// hosts are those of the app's certificates whose keys open.
func hosts(t *testing.T, s *Store, app string) (found []string) {
	t.Helper()
	keys, err := s.CertificateKeys(t.Context(), app)
	must(t, err)
	for host := range keys {
		found = append(found, host)
	}
	return found
}

func TestCertificates(t *testing.T) {
	s := withCertificate(t)
	ctx := t.Context()
	must(t, second(s.CreateApp(ctx, "other-app", "alice")))
	wantErr(t, s.SetCertificate(ctx, "other-app", Certificate{Host: "shop.example.org"}), ErrNotFound)
	wantErr(t, s.SetCertificate(ctx, "my-app", Certificate{Host: "other.example.org"}), ErrNotFound)
	wantErr(t, s.RemoveCertificate(ctx, "other-app", "shop.example.org"), ErrNotFound)
	must(t, s.SetCertificate(ctx, "my-app", Certificate{Host: "shop.example.org", Chain: "the next chain", Key: "secret-key-value"}))
	all, err := s.Certificates(ctx, "my-app")
	must(t, err)
	if len(all) != 1 || all[0].Chain != "the next chain" || all[0].Key != "" || all[0].Added.IsZero() {
		t.Errorf("%+v", all)
	}
	keys, err := s.CertificateKeys(ctx, "my-app")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"shop.example.org": "secret-key-value"}, keys); diff != "" {
		t.Error(diff)
	}
	must(t, s.RemoveCertificate(ctx, "my-app", "shop.example.org"))
	wantErr(t, s.RemoveCertificate(ctx, "my-app", "shop.example.org"), ErrNotFound)
	must(t, s.SetCertificate(ctx, "my-app", Certificate{Host: "shop.example.org", Key: "secret-key-value"}))
	must(t, s.RemoveDomain(ctx, "my-app", "shop.example.org"))
	must(t, s.AddDomain(ctx, "other-app", "shop.example.org"))
	if found := hosts(t, s, "other-app"); len(found) > 0 {
		t.Errorf("a domain came with the certificate of the app before: %v", found)
	}
	if found := filesWith(t, filepath.Dir(s.path), "secret-key-value"); len(found) > 0 {
		t.Errorf("%v hold a key", found)
	}
}

// Who may write to the database but does not have the key of the vault cannot give a domain another one's key; the others go on.
func TestMovedCertificateKeysAreRefused(t *testing.T) {
	s := withCertificate(t)
	ctx := t.Context()
	must(t, s.AddDomain(ctx, "my-app", "new.example.org"))
	must(t, s.SetCertificate(ctx, "my-app", Certificate{Host: "new.example.org", Key: "another"}))
	must(t, s.exec(ctx, "move", "UPDATE certificates SET key = (SELECT key FROM certificates WHERE host = 'shop.example.org') WHERE host = 'new.example.org'"))
	keys, err := s.CertificateKeys(ctx, "my-app")
	wantErr(t, err, errKey)
	if diff := cmp.Diff(map[string]string{"shop.example.org": "secret-key-value"}, keys); diff != "" {
		t.Error(diff)
	}
}

// A database with nothing but a certificate needs its key as well.
func TestCertificateNeedsTheKeyFile(t *testing.T) {
	s := withCertificate(t)
	must(t, s.Close())
	must(t, os.Remove(s.keyFile()))
	refused(t, s.path, "secrets.key is missing")
}
