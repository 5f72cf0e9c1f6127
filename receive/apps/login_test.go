package apps

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"testing"
	"time"

	"boathook/receive/state"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

var here = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}

// wire is the format in which a key comes over SSH.
func wire(t *testing.T, text []byte) []byte {
	t.Helper()
	key, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key.Marshal()
}

func TestLogin(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	laptop, ci, old := newKey(t), newKey(t), newKey(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	w.must(second(w.AddKey(ctx, adam, NewKey{Name: "laptop", Text: laptop})))
	added, err := w.AddKey(ctx, colin, NewKey{Name: "ci", Text: ci, App: "my-app", Expires: end})
	w.must(err)
	w.must(w.store.AddKey(ctx, state.Key{User: "olga", Name: "old", Blob: wire(t, old), Fingerprint: "SHA256:old", Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}))

	c, err := w.Login(ctx, wire(t, laptop), here)
	w.must(err)
	if c.User != "adam" || !c.Admin || c.Operator || c.Remote != "192.0.2.1:5" {
		t.Errorf("%+v", c)
	}
	c, err = w.Login(ctx, wire(t, ci), here)
	w.must(err)
	if want := (Caller{User: "colin", App: "my-app", Until: end, Fingerprint: added.Fingerprint, Remote: "192.0.2.1:5"}); c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	_, err = w.Login(ctx, wire(t, old), here)
	if want := NoLogin("the key old of olga has expired at 2026-01-01 00:00:00: add another with 'keys-add'"); !errors.Is(err, want) {
		t.Errorf("expired: %v", err)
	}
	for name, wire := range map[string][]byte{"nobody's": wire(t, newKey(t)), "no key": []byte("x"), "nothing": nil} {
		if _, err := w.Login(ctx, wire, here); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
	}

	w.must(w.LoggedIn(ctx, c))
	keys, err := w.Keys(ctx, colin, "")
	w.must(err)
	if len(keys) != 1 || keys[0].LastUsed.IsZero() || keys[0].LastFrom != "192.0.2.1" {
		t.Errorf("keys %+v", keys)
	}
}

// Who comes with a key that ends cannot make one that does not.
func TestLoginsCannotOutlastThemselves(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	end := time.Now().Add(time.Hour)
	brief, briefAdmin := Caller{User: "olga", Until: end}, Caller{User: "adam", Admin: true, Until: end}
	for _, test := range []struct {
		caller Caller
		user   string
		end    time.Time
		want   string
	}{
		{brief, "", time.Time{}, "may outlast it"},
		{brief, "olga", end.Add(time.Second), "may outlast it"},
		{brief, "", end, ""},
		{brief, "", end.Add(-time.Minute), ""},
		{briefAdmin, "", time.Time{}, "may outlast it"},
		{briefAdmin, "colin", time.Time{}, ""}, // an administrator can make users
	} {
		name := time.Now().String()
		wantText(t, second(w.AddKey(ctx, test.caller, NewKey{User: test.user, Name: name, Text: newKey(t), Expires: test.end})), test.want)
		wantText(t, second(w.AddKey(ctx, test.caller, NewKey{User: test.user, Name: name + "ci", App: "my-app", Text: newKey(t), Expires: test.end})), test.want)
		wantText(t, second(w.AddToken(ctx, test.caller, NewToken{User: test.user, Name: name, Expires: test.end})), test.want)
	}
}

// authority signs certificates.
type authority struct {
	t *testing.T
	ssh.Signer
}

func newAuthority(t *testing.T, signer ssh.Signer) authority { return authority{t, signer} }

// certify signs a certificate of an hour for olga's name, adjusted.
func (a authority) certify(adjust func(*ssh.Certificate)) []byte {
	a.t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey(newKey(a.t))
	if err != nil {
		a.t.Fatal(err)
	}
	now := time.Now()
	c := &ssh.Certificate{
		Key: key, CertType: ssh.UserCert, KeyId: "olga's laptop", ValidPrincipals: []string{"olga"},
		ValidAfter: uint64(now.Add(-time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
	}
	adjust(c)
	if err := c.SignCert(rand.Reader, a.Signer); err != nil {
		a.t.Fatal(err)
	}
	return c.Marshal()
}

func options(pairs ...string) func(*ssh.Certificate) {
	return func(c *ssh.Certificate) {
		c.CriticalOptions = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			c.CriticalOptions[pairs[i]] = pairs[i+1]
		}
	}
}

func TestCertificates(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ca, stranger := newAuthority(t, newSigner(t)), newAuthority(t, newSigner(t))
	weak, err := ssh.NewPublicKey(rsaKey(1024))
	w.must(err)
	w.cfg.UserCAs = []ssh.PublicKey{newSigner(t).PublicKey(), ca.PublicKey()}
	principals := func(names ...string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.ValidPrincipals = names }
	}
	for _, test := range []struct {
		name   string
		wire   []byte
		refuse string
	}{
		{"good", ca.certify(func(*ssh.Certificate) {}), ""},
		{"with principals of other machines", ca.certify(principals("root-everywhere", "olga")), ""},
		{"without an end", ca.certify(func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }), ""},
		{"from here", ca.certify(options("source-address", "198.51.100.0/24,192.0.2.1")), ""},
		{"from a network around here", ca.certify(options("source-address", "192.0.2.0/24")), ""},
		{"of nobody's authority", stranger.certify(func(*ssh.Certificate) {}), ErrUnknownKey.Error()},
		{"of an authority's name only", forged(t, ca, stranger), "signature does not verify"},
		{"for a host", ca.certify(func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), "this is a certificate for hosts"},
		{"of a kind that does not exist", ca.certify(func(c *ssh.Certificate) { c.CertType = 3 }), "this is a certificate for hosts"},
		{"for nobody", ca.certify(principals()), "names nobody"},
		{"for nobody here", ca.certify(principals("root")), `no principal of this certificate (["root"]) is the name of a user here`},
		{"for the login's name", ca.certify(principals("git")), "is the name of a user here"},
		{"for two users", ca.certify(principals("olga", "adam")), "are several users, adam and olga: one is needed"},
		{"too early", ca.certify(func(c *ssh.Certificate) { c.ValidAfter = c.ValidBefore - 1 }), "not yet valid"},
		{"too late", ca.certify(func(c *ssh.Certificate) { c.ValidBefore = c.ValidAfter + 1 }), "cert has expired"},
		{"with a command", ca.certify(options("force-command", "true")), `unsupported critical option "force-command"`},
		{"with an option of tomorrow", ca.certify(options("source-address", "192.0.2.1", "verify-required", "")), `unsupported critical option "verify-required"`},
		{"from elsewhere", ca.certify(options("source-address", "198.51.100.0/24,192.0.2.2")), "not good from here"},
		{"from nowhere", ca.certify(options("source-address", "")), "not good from here"},
		{"from nonsense", ca.certify(options("source-address", "192.0.2.1/999")), "not good from here"},
		{"of a weak key", ca.certify(func(c *ssh.Certificate) { c.Key = weak }), "an RSA key of 1024 bits is too weak"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := w.Login(ctx, test.wire, here)
			wantText(t, err, test.refuse)
			if test.refuse == "" && (c.User != "olga" || c.Admin || c.App != "" || c.Operator) {
				t.Errorf("%+v", c)
			}
			if test.refuse != "" && c != (Caller{}) {
				t.Errorf("refused, and yet %+v", c)
			}
		})
	}

	c, err := w.Login(ctx, ca.certify(func(*ssh.Certificate) {}), here)
	w.must(err)
	if c.Until.IsZero() {
		t.Error("the login has no end")
	}
	w.wantAudit(func() { w.must(w.SetVariables(ctx, c, "my-app", map[string]string{"A": "1"})) }, state.AuditEntry{
		Class: state.Changed, User: "olga", App: "my-app", Action: "env-set A", Result: "ok", Remote: "192.0.2.1:5",
		Fingerprint: c.Fingerprint + ` ID "olga's laptop" CA ` + ssh.FingerprintSHA256(ca.PublicKey()),
	})
	w.cfg.UserCAs = nil
	if _, err := w.Login(ctx, ca.certify(func(*ssh.Certificate) {}), here); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without authorities: %v", err)
	}
}

// A certificate for an RSA authority's SHA-1 signature is worth nothing.
func TestCertificateSignedWithSHA1(t *testing.T) {
	w := newWorld(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	signer, err := ssh.NewSignerFromKey(key)
	w.must(err)
	w.cfg.UserCAs = []ssh.PublicKey{signer.PublicKey()}
	for algorithm, want := range map[string]string{ssh.KeyAlgoRSA: "signed with SHA-1", ssh.KeyAlgoRSASHA512: ""} {
		only, err := ssh.NewSignerWithAlgorithms(signer.(ssh.AlgorithmSigner), []string{algorithm})
		w.must(err)
		_, err = w.Login(t.Context(), newAuthority(t, only).certify(func(*ssh.Certificate) {}), here)
		wantText(t, err, want)
	}
}

// forged is a certificate that names an authority which has not signed it.
func forged(t *testing.T, ca, by authority) []byte {
	t.Helper()
	key, err := ssh.ParsePublicKey(by.certify(func(*ssh.Certificate) {}))
	if err != nil {
		t.Fatal(err)
	}
	c := key.(*ssh.Certificate)
	c.SignatureKey = ca.PublicKey()
	return c.Marshal()
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestSourceAddresses(t *testing.T) {
	got := map[string]bool{}
	for _, list := range []string{"::ffff:192.0.2.1", "192.0.2.1", "2001:db8::/32", "::/0", "0.0.0.0/0", " 192.0.2.1", "localhost", ","} {
		got[list] = contains(list, here)
	}
	want := map[string]bool{
		"::ffff:192.0.2.1": false, "192.0.2.1": true, "2001:db8::/32": false, "::/0": false, "0.0.0.0/0": true, " 192.0.2.1": false, "localhost": false, ",": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
