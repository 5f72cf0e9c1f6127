package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpenKey(t *testing.T) {
	pub := filepath.Join(t.TempDir(), "id.pub")
	if err := os.WriteFile(pub, []byte("of the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args, want, stdin string
	}{
		{"users-add --admin alice --key " + pub, "users-add --admin alice --key -", "of the file"},
		{"users-add --key=" + pub + " alice --admin", "users-add --key - alice --admin", "of the file"},
		{"keys-add -key " + pub + " laptop", "keys-add --key - laptop", "of the file"},
		{"keys-add laptop --key -", "keys-add laptop --key -", "of the pipe"},
		{"keys-add laptop", "keys-add laptop", "of the pipe"},
		{"keys-add laptop --key", "keys-add laptop --key", "of the pipe"},
		{"env-set my-app --key " + pub, "env-set my-app --key " + pub, "of the pipe"},
	} {
		args, in, err := openKey(strings.Fields(test.args), io.NopCloser(strings.NewReader("of the pipe")))
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		text, err := io.ReadAll(in)
		if diff := cmp.Diff(strings.Fields(test.want), args); diff != "" || string(text) != test.stdin || err != nil {
			t.Errorf("%s: %s %q %v", test.args, diff, text, err)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := openKey([]string{"keys-add", "x", "--key", pub + ".none"}, nil); err == nil || !strings.Contains(err.Error(), "name the .pub file of a key") {
		t.Errorf("no file: %v", err)
	}
}

func TestReadUserCAs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, err := newKey(filepath.Join(dir, "one"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := readUserCAs(write("good", "# ours\n\n"+one+"  "+one))
	if err != nil || len(all) != 2 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):                   "name a file that boathook may read",
		write("empty", "# nothing\n"):                "has no key",
		write("mistyped", one+"nonsense\n"):          "mistyped, line 2: this is not one OpenSSH public key",
		write("restricted", "cert-authority,x "+one): "this is not one OpenSSH public key",
		filepath.Join(dir, "one"):                    "this is a PRIVATE key",
	} {
		if _, err := readUserCAs(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if _, err := parseConfig([]string{"-data", dir, "-user-ca", path}, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "user-ca: ") {
			t.Errorf("serve -user-ca %s: %v", path, err)
		}
	}
}
