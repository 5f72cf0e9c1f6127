package scenes

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"boathook/receive/command"
)

// sshAsMain runs the real ssh client with a user's key: ssh-as USER COMMAND, the command as one line or in words as a shell passes it on.
func sshAsMain() {
	words := strings.Fields(os.Getenv("GIT_SSH_COMMAND"))
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], ".ssh/alice", ".ssh/"+os.Args[1])
	}
	line, err := command.Join(os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ssh := exec.Command(words[0], append(words[1:], "-T", "-p", os.Getenv("SSH_PORT"), "git@127.0.0.1", line)...)
	ssh.Stdin, ssh.Stdout, ssh.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := ssh.Run(); err != nil {
		os.Exit(max(1, ssh.ProcessState.ExitCode()))
	}
}

// getMain is the scripts' HTTP client: get HOST PATH [WANT]. It prints status and body, and fails unless WANT is contained.
func getMain() {
	req, err := http.NewRequest(http.MethodGet, "http://"+os.Getenv("HTTP")+os.Args[2], nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	req.Host = os.Args[1]
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer := fmt.Sprintf("%d\n%s", resp.StatusCode, body)
	fmt.Print(answer)
	if len(os.Args) > 3 && !strings.Contains(answer, os.Args[3]) {
		os.Exit(1)
	}
}

var (
	shortID  = regexp.MustCompile(`\b[0-9a-f]{7,40}\b`)
	portOf   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	trailing = regexp.MustCompile(`(?m)[ \t]+$`)
)

// transcriptMain filters what git printed to the lines that are the same every time; with remote lines first.
func transcriptMain() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := portOf.ReplaceAllString(string(text), "127.0.0.1:PORT")
	out = shortID.ReplaceAllString(out, "ID")
	out = trailing.ReplaceAllString(out, "")
	for line := range strings.Lines(out) {
		line = strings.ReplaceAll(line, "\x1b[K", "")
		fmt.Print(line)
	}
}
