package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamespace opens two data directories, and one of them again: each has a label of its own and keeps it, unless -namespace gives it one.
func TestNamespace(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	namespace := func(data string, more ...string) string {
		args := append([]string{"-data", data, "-engine", "local", "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0"}, more...)
		cfg, err := parseConfig(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		return s.cfg.namespace
	}
	first, other, again := namespace(one), namespace(two), namespace(one)
	if first == other || first != again || !strings.HasPrefix(first, "boathook-") {
		t.Errorf("labels %q, %q of another directory, %q of the first again", first, other, again)
	}
	if got := namespace(one, "-namespace", "mine"); got != "mine" {
		t.Errorf("label %q, want mine", got)
	}
	if err := os.WriteFile(filepath.Join(one, "namespace"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ownNamespace(one); err == nil {
		t.Errorf("an empty file gave the label %q", got)
	}
}
