package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOperatorMistakes makes the mistakes that are possible before anything serves: the exit status, and one line that says what it
// is and what to do next.
func TestOperatorMistakes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().String()
	data := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := t.TempDir() // nobody can write its file "lock", not even root
	if err := os.Mkdir(filepath.Join(locked, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	const cannotWrite = ": choose a directory with -data in which boathook may write\n"
	noServer := "boathook: no server: dial unix " + data + "/admin.sock: connect: no such file or directory: start one with 'boathook serve', or set BOATHOOK_DATA to the data directory of the one that runs\n"
	for _, row := range []struct {
		name string
		args string
		exit int
		want string
	}{
		{"word", "nonsense", 2, "there is no command \"nonsense\": 'help' lists them\n"},
		{"no server", "apps", 1, noServer},
		{"flag", "serve -nonsense", 2, "boathook: flag provided but not defined: -nonsense; see 'boathook serve -h'\n"},
		{"value", "serve -boot-time soon", 2, "boathook: invalid value \"soon\" for flag -boot-time: give a duration above zero, like 90s or 20m; see 'boathook serve -h'\n"},
		{"value of stack", "stack -boot-time soon", 2, "boathook: invalid value \"soon\" for flag -boot-time: give a duration above zero, like 90s or 20m; see 'boathook serve -h'\n"},
		{"argument of demo", "demo docker", 2, "boathook: unexpected argument \"docker\"; see 'boathook demo -h'\n"},
		{"data is a file", "serve -data " + file, 1, "boathook: data directory: mkdir " + file + ": not a directory" + cannotWrite},
		{"data cannot be written", "serve -data " + locked, 1, "boathook: data directory: open " + locked + "/lock: is a directory" + cannotWrite},
		{"ssh port", "serve -ssh-addr " + port, 1, "boathook: ssh: listen tcp " + port + ": bind: address already in use: choose another address with -ssh-addr\n"},
		{"http port", "serve -ssh-addr 127.0.0.1:0 -http-addr " + port, 1, "boathook: http: listen tcp " + port + ": bind: address already in use: choose another address with -http-addr\n"},
		{"no engine", "serve -engine docker -ssh-addr 127.0.0.1:0 -http-addr 127.0.0.1:0", 1,
			"boathook: no Docker engine answers (Cannot connect to the Docker daemon at unix:///nonexistent. Is the docker daemon running?): start it, or use -engine local\n"},
		{"no engine for stack", "stack", 1,
			"boathook: no Docker engine answers (Cannot connect to the Docker daemon at unix:///nonexistent. Is the docker daemon running?): start it, or use -engine local\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", "unix:///nonexistent")
			t.Setenv("BOATHOOK_DATA", data)
			var out, errs strings.Builder
			exit := run(t.Context(), strings.Fields(row.args), strings.NewReader(""), &out, &errs)
			if exit != row.exit || errs.String() != row.want || out.Len() > 0 {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s\nwant:   %s", exit, row.exit, out.String(), errs.String(), row.want)
			}
		})
	}
}

// TestHelp asks for help in each of the ways: no server is needed, and what was asked for comes on standard output.
func TestHelp(t *testing.T) {
	t.Setenv("BOATHOOK_DATA", t.TempDir())
	for _, row := range []struct{ args, want string }{
		{"-h", "boathook serve "},
		{"--help", "boathook demo "},
		{"help", "deployment-logs "},
		{"help create", "create NAME [--owner USER] [--json]\n"},
		{"version", "boathook "},
		{"serve -h", "  -ssh-addr address\n"},
		{"stack -h", "  -stack-image image\n"},
		{"demo -h", "  -once\n"},
	} {
		var out, errs strings.Builder
		exit := run(t.Context(), strings.Fields(row.args), strings.NewReader(""), &out, &errs)
		if exit != 0 || !strings.Contains(out.String(), row.want) || errs.Len() > 0 {
			t.Errorf("boathook %s: exit %d, no %q\nstdout: %s\nstderr: %s", row.args, exit, row.want, out.String(), errs.String())
		}
	}
	var out, errs strings.Builder
	if exit := run(t.Context(), nil, strings.NewReader(""), &out, &errs); exit != 2 || errs.String() != usage || out.Len() > 0 {
		t.Errorf("boathook alone: exit %d\nstdout: %s\nstderr: %s", exit, out.String(), errs.String())
	}
}

// TestSecondServe starts a second boathook on the data directory of a running one: it is refused, and has touched nothing, not even
// what looks left over and belongs to a push of the first.
func TestSecondServe(t *testing.T) {
	data := t.TempDir()
	args := []string{"-data", data, "-engine", "local", "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0"}
	cfg, err := parseConfig(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	first, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	quarantine := filepath.Join(data, "repositories", "my-app.git", "objects", "tmp_objdir-incoming-1")
	if err := os.MkdirAll(quarantine, 0o700); err != nil {
		t.Fatal(err)
	}

	var out strings.Builder
	exit := run(t.Context(), append([]string{"serve"}, args...), strings.NewReader(""), &out, &out)
	if want := "boathook: another boathook serves " + data + ": stop it, or choose another directory with -data\n"; exit != 1 || out.String() != want {
		t.Errorf("exit %d\n%s\nwant %s", exit, out.String(), want)
	}
	if _, err := os.Stat(quarantine); err != nil {
		t.Errorf("the second boathook swept below the first one: %v", err)
	}

	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	second, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("after the end of the first: %v", err)
	}
	if err := second.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(quarantine); !os.IsNotExist(err) {
		t.Errorf("the quarantine of a dead boathook is still there: %v", err)
	}
}
