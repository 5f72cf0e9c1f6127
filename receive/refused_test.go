package receive_test

import (
	"net"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
)

// Whoever comes with a key that nobody knows is told of once, with the key and where from; a key that was offered in vain by somebody
// who then logs in with another is no refusal.
func TestRefusedKeysAreTold(t *testing.T) {
	told := make(chan string, 8)
	h := start(t, func(cfg *receive.Config) {
		cfg.Refused = func(remote net.Addr, fingerprint string, why error) {
			host, _, err := net.SplitHostPort(remote.String())
			if err != nil || why == nil {
				t.Errorf("%v, %v", err, why)
			}
			told <- host + " " + fingerprint + " " + why.Error()
		}
	})
	c, err := h.dial("git", gossh.PublicKeys(h.keys["stranger"], h.keys["ann"]))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := h.dial("git", gossh.PublicKeys(h.keys["stranger"])); err == nil {
		t.Fatal("logged in")
	}
	want := "127.0.0.1 " + gossh.FingerprintSHA256(h.keys["stranger"].PublicKey()) + " refused: unknown key"
	select {
	case got := <-told:
		if got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not told")
	}
	select {
	case more := <-told:
		t.Errorf("told also %q", more)
	default:
	}
}
