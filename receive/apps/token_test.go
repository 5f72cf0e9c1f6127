package apps

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, err := w.AddToken(ctx, olga, NewToken{Name: "ci", Expires: time.Now().Add(time.Hour)})
	w.must(err)
	of, err := w.AddToken(ctx, operator, NewToken{User: "adam", Name: "ci"})
	w.must(err)

	c, err := w.VerifyToken(ctx, text, "192.0.2.1:5")
	w.must(err)
	if c.User != "olga" || c.Admin || c.Operator || c.Fingerprint != "token ci" || c.Remote != "192.0.2.1:5" || c.Until.IsZero() {
		t.Errorf("caller %+v", c)
	}
	if c, err := w.VerifyToken(ctx, of, ""); err != nil || c.User != "adam" || !c.Admin {
		t.Errorf("caller %+v, %v", c, err)
	}
	all, err := w.Tokens(ctx, olga, "")
	w.must(err)
	if len(all) != 1 || all[0].Name != "ci" || all[0].LastUsed.IsZero() || strings.Contains(text, string(all[0].Hash)) {
		t.Errorf("tokens %+v", all)
	}
	other := func(at int, c byte) string { return text[:at] + string(c) + text[at+1:] }
	for name, wrong := range map[string]string{
		"nothing": "", "prefix": "boathook_", "another prefix": "B" + text[1:], "no secret": text[:len("boathook_1_")], "cut off": text[:len(text)-1],
		"longer": text + "A", "another's id": other(len("boathook_"), '2'), "nobody's id": other(len("boathook_"), '9'),
		"another secret": other(len(text)-5, map[bool]byte{true: 'A', false: 'B'}[text[len(text)-5] != 'A']), "the hash": "boathook_1_" + string(all[0].Hash),
	} {
		if c, err := w.VerifyToken(ctx, wrong, ""); !errors.Is(err, ErrToken) || c != (Caller{}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}

	w.must(w.RemoveToken(ctx, olga, "", "ci"))
	if _, err := w.VerifyToken(ctx, text, ""); !errors.Is(err, ErrToken) {
		t.Errorf("a token that was removed: %v", err)
	}
	wantText(t, w.RemoveToken(ctx, olga, "", "ci"), `there is no token "ci"`)
	w.must(w.RemoveUser(ctx, operator, "adam"))
	if _, err := w.VerifyToken(ctx, of, ""); !errors.Is(err, ErrToken) {
		t.Errorf("a token of a user who was removed: %v", err)
	}
}

func TestTokensThatExpire(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t)
	ctx := t.Context()
	wantText(t, second(w.AddToken(ctx, olga, NewToken{Name: "late", Expires: time.Now().Add(-time.Hour)})), "is over already")
	text, err := w.AddToken(ctx, olga, NewToken{Name: "ci", Expires: time.Now().Add(2 * time.Second)}) // of which the making takes a part
	w.must(err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := w.VerifyToken(ctx, text, ""); errors.Is(err, ErrToken) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the token is good still")
		}
	}
}

// The secret is nowhere in the database's files, neither as it is nor as the token has it; its hash is.
func TestTokensAreStoredHashed(t *testing.T) {
	dir := t.TempDir()
	w := openWorld(t, filepath.Join(dir, "boathook.db"))
	w.must(w.AddUser(t.Context(), operator, "olga", false))
	text, err := w.AddToken(t.Context(), olga, NewToken{Name: "ci"})
	w.must(err)
	_, secret, ok := parseToken(text)
	if !ok {
		t.Fatalf("token %q", text)
	}
	all, err := w.store.Tokens(t.Context(), "olga")
	w.must(err)
	if string(all[0].Hash) == string(secret) || len(all[0].Hash) != 32 {
		t.Errorf("hash %x", all[0].Hash)
	}
	written := contents(t, dir)
	for what, found := range map[string]bool{
		"the token":            bytes.Contains(written, []byte(text)),
		"the secret, written":  bytes.Contains(written, []byte(base64.RawURLEncoding.EncodeToString(secret))),
		"the secret":           bytes.Contains(written, secret),
		"the secret in digits": bytes.Contains(bytes.ToLower(written), []byte(hex.EncodeToString(secret))),
	} {
		if found {
			t.Errorf("%s is in the database", what)
		}
	}
	if !bytes.Contains(written, all[0].Hash) {
		t.Error("the hash is not found in the database, so nothing would be")
	}
}

// contents is what all files of a directory hold, the write-ahead log of a database among them.
func contents(t *testing.T, dir string) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}
