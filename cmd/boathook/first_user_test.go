package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFirstUser does what serve tells when there is no user: that one command lets the administrator in, by the real ssh.
func TestFirstUser(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	t.Setenv("BOATHOOK_DATA", data)
	cfg, err := parseConfig([]string{"-data", data, "-engine", "local", "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	s, err := open(ctx, cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.announce(ctx)
	text := log.String() // before anything else writes to it
	told := regexp.MustCompile(`there is no user yet: run 'boathook (.*)'"`).FindStringSubmatch(text)
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if told == nil {
		t.Fatalf("nothing is told:\n%s", text)
	}
	key := filepath.Join(dir, "id_ed25519")
	public, err := newKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key+".pub", []byte(public), 0o600); err != nil {
		t.Fatal(err)
	}

	line := strings.NewReplacer("NAME", "alice", "~/.ssh/id_ed25519", key).Replace(told[1])
	var out strings.Builder
	if exit := run(ctx, strings.Fields(line), strings.NewReader(""), &out, &out); exit != 0 || !strings.HasPrefix(out.String(), "alice is added as an administrator, with the key SHA256:") {
		t.Fatalf("boathook %s: exit %d, %s", line, exit, &out)
	}
	_, port, _ := strings.Cut(s.sshListener.Addr().String(), ":")
	ssh := exec.CommandContext(ctx, "ssh", "-F", "/dev/null", "-T", "-p", port, "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+filepath.Join(dir, "known_hosts"), "git@127.0.0.1", "users")
	if users, err := ssh.CombinedOutput(); err != nil || !regexp.MustCompile(`alice +true`).Match(users) {
		t.Errorf("%v: %s", err, users)
	}
}
