package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// cmdOldKey gives a user a key that expired at the beginning of 2026: old-key USER NAME FILE.
func cmdOldKey(ts *testscript.TestScript, neg bool, args []string) {
	key, err := apps.ParseKey([]byte(ts.ReadFile(args[2])))
	ts.Check(err)
	ts.Check(sceneOf(ts).server.store.AddKey(context.Background(), state.Key{
		User: args[0], Name: args[1], Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Blob: key.Marshal(),
		Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}))
}
