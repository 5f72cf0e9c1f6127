package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"
)

// TestNewcomer runs the lines of the README's "First real deployment" word for word, from an empty home to a rollback. The ports are
// those of the README, so it has a network namespace of its own, where a hosts file stands for the DNS records; and as no container would be
// reached from there, it has the local engine.
func TestNewcomer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces are made")
	}
	for _, program := range []string{"curl", "ssh", "ssh-keygen", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed on this machine: %v", program, err)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := codeBlocks(section(t, string(readme), "First real deployment"))
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of commands in the README, the test knows 4: install and serve, people and app, push, rollback", len(blocks))
	}
	home := newcomersHome(t, newcomersScript(t, blocks))
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", "bash", filepath.Join(home, "script"))
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "HOME="+home, "BOATHOOK_ENGINE=local", "BOATHOOK_DATA="+filepath.Join(home, "data"), "BOATHOOK_BUILDPACK=none", "BOATHOOK_GRACE_TIME=100ms",
		"GOBIN="+filepath.Join(home, "bin"), "PATH="+filepath.Join(home, "bin")+":"+os.Getenv("PATH"))
	for _, cache := range []string{"GOMODCACHE", "GOCACHE"} { // those of this user, which would lie in the home
		dir, err := exec.Command("go", "env", cache).Output()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, cache+"="+strings.TrimSpace(string(dir)))
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(home, "log")) // there may be none yet
		t.Fatalf("%v\n%s\nlog of boathook:\n%s", err, said, log)
	}
	inOrder(t, string(said), "master -> master", "version one", "master -> master", "version two", "success", "Taking the image of deployment 1", "version one")
}

// newcomersScript has the README's lines, and what people do around them.
func newcomersScript(t *testing.T, blocks []string) string {
	t.Helper()
	install, serve, ok := strings.Cut(blocks[0], "boathook serve")
	if !ok {
		t.Fatalf("no boathook serve in\n%s", blocks[0])
	}
	serve, _, _ = strings.Cut(serve, "#")
	change, look, ok := strings.Cut(blocks[3], "\n") // a visitor comes between the second push and the rollback
	if !ok || !strings.Contains(change, "git push") {
		t.Fatalf("no push in the first line of\n%s", blocks[3])
	}
	return strings.Join([]string{
		"set -e",
		"ip link set lo up",
		"mount --bind $HOME/hosts /etc/hosts",
		"ssh-keygen -q -t ed25519 -N '' -f $HOME/.ssh/id_ed25519",
		install,
		"mount --bind $HOME $(getent passwd $(id -u) | cut -d: -f6) # ssh does not ask HOME where its keys are",
		"boathook serve" + serve + " 2>$HOME/log &",
		"trap 'boathook destroy my-app --force || :; kill %1; wait' EXIT",
		"timeout 60 bash -ec 'until grep -q \"boathook serves\" $HOME/log; do kill -0 '$!'; sleep 0.1; done'",
		blocks[1],
		"cd $HOME/app; git init -q; git add .; git commit -qm first",
		"ssh-keyscan -T 60 -p 2222 apps.example.com >$HOME/.ssh/known_hosts 2>/dev/null # a newcomer answers yes",
		blocks[2],
		"echo version two >VERSION",
		change,
		"curl http://my-app.apps.example.com:8080",
		look,
		"curl http://my-app.apps.example.com:8080",
	}, "\n")
}

// newcomersHome has a small app in it, and no key yet.
func newcomersHome(t *testing.T, script string) string {
	t.Helper()
	program, err := os.ReadFile(scenes.Fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	for name, text := range map[string]string{
		"script":       script,
		"hosts":        "127.0.0.1 localhost apps.example.com my-app.apps.example.com\n",
		".gitconfig":   "[user]\n\tname = Alice\n\temail = alice@example.com\n[init]\n\tdefaultBranch = master\n",
		".ssh/config":  "",
		"app/bin/app":  string(program),
		"app/Procfile": "web: bin/app web\npostdeploy: echo migrating\n",
		"app/VERSION":  "version one\n",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// inOrder wants each text behind the one before it.
func inOrder(t *testing.T, text string, wants ...string) {
	t.Helper()
	rest := text
	for _, want := range wants {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %q in its place in\n%s", want, text)
		}
		rest = after
	}
}

// codeBlocks are the indented lines of a text, a string for each stretch of them.
func codeBlocks(text string) (blocks []string) {
	inside := false
	for line := range strings.Lines(text) {
		code, is := strings.CutPrefix(line, "    ")
		switch {
		case is && inside:
			blocks[len(blocks)-1] += code
		case is:
			blocks = append(blocks, code)
		}
		inside = is
	}
	return blocks
}
