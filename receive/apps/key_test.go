package apps

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// line is a public key as OpenSSH writes it.
func line(t *testing.T, public any) []byte {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return ssh.MarshalAuthorizedKey(key)
}

func newKey(t *testing.T) []byte {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return line(t, public)
}

func rsaKey(bits uint) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537} // nobody needs its factors here
}

// hardwareKey is a key of a FIDO token, in the format of OpenSSH's PROTOCOL.u2f.
func hardwareKey(t *testing.T) []byte {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Type        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, public, "ssh:"}))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.MarshalAuthorizedKey(key)
}

func dsaKey(t *testing.T) []byte {
	t.Helper()
	power := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Type       string
		P, Q, G, Y *big.Int
	}{"ssh-dss", power(1023), power(159), big.NewInt(2), big.NewInt(3)}))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.MarshalAuthorizedKey(key)
}

func certificate(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return ssh.MarshalAuthorizedKey(cert)
}

func TestParseKey(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	one := newKey(t)
	notOne := "this is not one OpenSSH public key"
	for _, test := range []struct {
		name string
		text []byte
		want string // in the refusal, "" accepted
	}{
		{"ed25519", one, ""},
		{"with a comment and blank lines", []byte("\n# mine\n" + strings.TrimSpace(string(one)) + " me@laptop\r\n\n"), ""},
		{"ecdsa", line(t, &curve.PublicKey), ""},
		{"rsa 2048", line(t, rsaKey(2048)), ""},
		{"hardware", hardwareKey(t), ""},
		{"rsa 2047", line(t, rsaKey(2047)), "an RSA key of 2047 bits is too weak"},
		{"dsa", dsaKey(t), "a key of type ssh-dss is not accepted"},
		{"certificate", certificate(t), "a key of type ssh-ed25519-cert-v01@openssh.com is not accepted"},
		{"nothing", nil, notOne},
		{"prose", []byte("please let me in"), notOne},
		{"cut off", one[:len(one)/2], notOne},
		{"two", append(one[:len(one):len(one)], newKey(t)...), notOne},
		{"with options", append([]byte(`command="rm -rf /" `), one...), notOne},
		{"private", pem.EncodeToMemory(block), "this is a PRIVATE key, which nobody else may see: it must now be considered exposed"},
		{"private, older format", []byte("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "this is a PRIVATE key, which nobody else may see: it must now be considered exposed"},
		{"PuTTY's file", []byte("PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n"), "puttygen KEY.ppk -O public-openssh -o KEY.pub"},
		{"PuTTY's public half", []byte("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n"), "ssh-keygen -i -f KEY.pub > KEY.openssh.pub"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseKey(test.text)
			wantText(t, err, test.want)
		})
	}
}

func TestAddKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text := newKey(t)
	key, err := w.AddKey(ctx, olga, NewKey{Name: "laptop", Text: text})
	w.must(err)
	if key.User != "olga" || key.Name != "laptop" || key.Type != "ssh-ed25519" || !strings.HasPrefix(key.Fingerprint, "SHA256:") {
		t.Errorf("key %+v", key)
	}
	for _, test := range []struct {
		name     string
		caller   Caller
		key      string
		text     []byte
		want     string
		forOther string
	}{
		{"another's", colin, "laptop", text, "key is already taken: it is another user's", ""},
		{"own, again", olga, "again", text, "key is already taken: olga has it as laptop", ""},
		{"name taken", olga, "laptop", newKey(t), "a key named laptop already", ""},
		{"no name", olga, "", newKey(t), "cannot name a key", ""},
		{"a name that clears the screen", olga, "a\x1b[2J", newKey(t), "cannot name a key", ""},
		{"a name that turns the line around", olga, "a\u202eb", newKey(t), "cannot name a key", ""},
		{"a name in no encoding", olga, "a\xff", newKey(t), "cannot name a key", ""},
		{"a long name", olga, strings.Repeat("é", 65), newKey(t), "cannot name a key", ""},
		{"a name of 64 characters", olga, strings.Repeat("é", 64), newKey(t), "", ""},
		{"no such user", adam, "laptop", newKey(t), `there is no user "nobody"`, "nobody"},
		{"operator says for whom", operator, "laptop", newKey(t), "there are 5 users", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.AddKey(ctx, test.caller, NewKey{User: test.forOther, Name: test.key, Text: test.text})
			wantText(t, err, test.want)
		})
	}
}

// A size is what ssh-keygen -l shows.
func TestBits(t *testing.T) {
	curve := func(c elliptic.Curve) []byte {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return line(t, &key.PublicKey)
	}
	for _, test := range []struct {
		text []byte
		want int
	}{
		{newKey(t), 256}, {hardwareKey(t), 256}, {line(t, rsaKey(3072)), 3072}, {curve(elliptic.P256()), 256}, {curve(elliptic.P384()), 384}, {curve(elliptic.P521()), 521},
	} {
		key, err := ParseKey(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := bitsOf(key); got != test.want {
			t.Errorf("%s has %d bits, want %d", key.Type(), got, test.want)
		}
	}
}

func TestRemoveKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.AddKey(ctx, olga, NewKey{Name: "laptop", Text: newKey(t)})
	w.must(err)
	ci, err := w.AddKey(ctx, olga, NewKey{User: "olga", Name: "ci", Text: newKey(t)})
	w.must(err)
	wantText(t, w.RemoveKey(ctx, steve, "", "laptop"), `there is no key "laptop"`)
	wantText(t, w.RemoveKey(ctx, steve, "olga", "laptop"), ErrDenied.Error())
	w.must(w.RemoveKey(ctx, olga, "", "laptop"))
	w.must(w.RemoveKey(ctx, adam, "olga", ci.Fingerprint))
	left, err := w.Keys(ctx, olga, "")
	w.must(err)
	if len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}
