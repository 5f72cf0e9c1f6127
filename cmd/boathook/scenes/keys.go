package scenes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// newKey makes a private key, and its public one beside it.
func newKey(path string) error {
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path).CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	return nil
}

// publicKey is the public key of one of the scene's people.
func publicKey(ts *testscript.TestScript, name string) string {
	text, err := os.ReadFile(filepath.Join(ts.Getenv("HOME"), ".ssh", name+".pub"))
	ts.Check(err)
	return string(text)
}

// cmdOldKey gives a user a key that expired at the beginning of 2026, or is going to in so much time: old-key USER NAME FILE [3s].
func cmdOldKey(ts *testscript.TestScript, neg bool, args []string) {
	key, err := apps.ParseKey([]byte(ts.ReadFile(args[2])))
	ts.Check(err)
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if len(args) > 3 {
		left, err := time.ParseDuration(args[3])
		ts.Check(err)
		end = time.Now().Add(left)
	}
	ts.Check(stored(ts).AddKey(context.Background(), state.Key{
		User: args[0], Name: args[1], Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Blob: key.Marshal(),
		Expires: end,
	}))
}
