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
		args, in, err := openKey(strings.Fields(test.args))
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		text := []byte("of the pipe")
		if in != nil {
			text, err = io.ReadAll(in)
			defer in.Close()
		}
		if diff := cmp.Diff(strings.Fields(test.want), args); diff != "" || string(text) != test.stdin || err != nil {
			t.Errorf("%s: %s %q %v", test.args, diff, text, err)
		}
	}
	if _, _, err := openKey([]string{"keys-add", "x", "--key", pub + ".none"}); err == nil || !strings.Contains(err.Error(), "name the .pub file of a key") {
		t.Errorf("no file: %v", err)
	}
}

func TestOpenCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, text := range map[string]string{cert: "of the certificate", key: "of the key"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ args, want, stdin string }{
		{"domains-ssl my-app a.b --cert " + cert + " --key " + key, "domains-ssl my-app a.b", "of the certificate\nof the key"},
		{"domains-ssl -key=" + key + " my-app -cert " + cert + " a.b", "domains-ssl my-app a.b", "of the key\nof the certificate"},
		{"domains-ssl my-app a.b", "domains-ssl my-app a.b", "of the pipe"},
		{"domains-ssl my-app a.b --cert - --key=-", "domains-ssl my-app a.b --cert - --key=-", "of the pipe"},
		{"domains-ssl my-app a.b --disable", "domains-ssl my-app a.b --disable", "of the pipe"},
		{"env-set my-app --cert " + cert, "env-set my-app --cert " + cert, "of the pipe"},
	} {
		args, in, err := openCertificate(strings.Fields(test.args))
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		text := []byte("of the pipe")
		if in != nil {
			text, err = io.ReadAll(in)
		}
		if diff := cmp.Diff(strings.Fields(test.want), args); diff != "" || string(text) != test.stdin || err != nil {
			t.Errorf("%s: %s %q %v", test.args, diff, text, err)
		}
	}
	for args, want := range map[string]string{
		"domains-ssl my-app a.b --cert " + cert:                             "name both files, --cert and --key",
		"domains-ssl my-app a.b --cert - --key " + key:                      "name both files, --cert and --key, or give one",
		"domains-ssl my-app a.b --cert " + cert + " --key " + dir + "/none": "key: open " + dir + "/none: no such file or directory: name a file in PEM",
	} {
		if _, _, err := openCertificate(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
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
