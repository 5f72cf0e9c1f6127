package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A repository on a volume of its own cannot be linked to.
func TestTakeFromAnotherFileSystem(t *testing.T) {
	to := filepath.Join(t.TempDir(), "copy")
	if err := take("/proc/version", to); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(to)
	if err != nil || !strings.HasPrefix(string(text), "Linux version") {
		t.Errorf("%q, %v", text, err)
	}
	if err := take("/proc/version", to); err == nil {
		t.Error("a file was replaced")
	}
}
