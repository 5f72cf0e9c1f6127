package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// soakApp is one app: its repository, and what it may answer.
type soakApp struct {
	soak *soak
	name string
	repo string

	version int            // the newest that was committed
	commits map[string]int // version by commit

	mu      sync.Mutex // guards what follows
	pushed  int        // the newest version whose push has begun
	floor   int        // a request that begins now must be answered by this version or a newer one; 0: none is live
	answers map[int]int
	tally   visits
}

// visits counts requests. wrong are answers of another app, or of a version that could not be live.
type visits struct{ requests, wrong, failed, excused int }

// outcome is a way for a deployment to end, and the Procfile that makes it end so.
type outcome struct{ status, procfile string }

var (
	good     = outcome{"success", "web: ./server\npostdeploy: echo migrated\n"}
	outcomes = []outcome{
		good,
		{"build-error", "web: ./server\nweb: ./server\n"},
		good,
		{"hook-error", "web: ./server\npostdeploy: exit 3\n"},
		good,
		{"aborted", "web: ./server\npostdeploy: echo holding; sleep 600\n"},
		good,
		{"crashed-error", "web: exit 3\n"},
	}
)

// planOf is the outcome of deployment n when apps take turns: an app's first is good, and then each goes its own way through the outcomes.
func planOf(n, apps int) outcome {
	turn, app := n/apps, n%apps
	if turn == 0 {
		return good
	}
	return outcomes[(turn+app)%len(outcomes)]
}

// deploy commits and pushes the next version, and checks how that ends.
func (a *soakApp) deploy(ctx context.Context, plan outcome) error {
	if err := a.commit(ctx, plan); err != nil {
		return err
	}
	a.mu.Lock()
	a.pushed = a.version
	a.mu.Unlock()
	for {
		begin := time.Now()
		status, transcript := a.push(ctx, plan.status == "aborted")
		if err := ctx.Err(); err != nil {
			return nil // another pusher, or the limit, has ended the soak
		}
		switch {
		case status == "success" && plan == good:
			a.raise(a.version)
			return nil
		case status == plan.status:
			return nil
		case !a.soak.outages.during(begin, time.Now()):
			a.soak.breach("%s, version %d: the push ended with %s instead of %s:\n%s", a.name, a.version, status, plan.status, transcript)
			return nil
		case plan != good:
			return nil
		}
		a.soak.outages.wait(ctx) // and the same commit once more
	}
}

func (a *soakApp) commit(ctx context.Context, plan outcome) error {
	a.version++
	for name, text := range map[string]string{"VERSION": fmt.Sprintf("%s %d\n", a.name, a.version), "Procfile": plan.procfile} {
		if err := os.WriteFile(filepath.Join(a.repo, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"add", "."}, {"commit", "-q", "-m", strconv.Itoa(a.version)}} {
		if err := a.soak.git(ctx, a.repo, args...); err != nil {
			return err
		}
	}
	head, err := a.gitOutput(ctx, "rev-parse", "HEAD")
	a.commits[head] = a.version
	return err
}

func (a *soakApp) gitOutput(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = a.repo, a.soak.gitEnv()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %v: %w", args, err)
	}
	return strings.TrimSpace(string(out)), nil
}

var rejected = regexp.MustCompile(`\[remote rejected\] .*\((\S+)\)`)

// push pushes HEAD and returns how the deployment ended, as git says it. If asked to, it goes away when the hook runs.
func (a *soakApp) push(ctx context.Context, leave bool) (status, transcript string) {
	cmd := exec.CommandContext(ctx, "git", "push", a.soak.remote+a.name+".git", "+HEAD:master")
	cmd.Dir, cmd.Env = a.repo, a.soak.gitEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // git and its ssh
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said := &listener{}
	if leave {
		said.word, said.heard = "] holding", func() { _ = cmd.Cancel() }
	}
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	transcript = said.text.String()
	if err == nil {
		return "success", transcript
	}
	if m := rejected.FindStringSubmatch(transcript); m != nil {
		return m[1], transcript
	}
	if leave && said.heard == nil {
		return "aborted", transcript
	}
	return "no answer", transcript
}

// listener keeps what it hears, and calls heard, once, on a word.
type listener struct {
	text  bytes.Buffer
	word  string
	heard func()
}

func (l *listener) Write(p []byte) (int, error) {
	l.text.Write(p)
	if l.heard != nil && strings.Contains(l.text.String(), l.word) {
		l.heard()
		l.heard = nil
	}
	return len(p), nil
}

// client visits the app from when it is first live until ctx ends.
func (a *soakApp) client(ctx context.Context) {
	var v *visitor
	var opened time.Time // v; with a server that is killed its connections end, whenever that is noticed
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(a.soak.pause):
		}
		floor := a.lowest()
		if floor == 0 || ctx.Err() != nil {
			continue
		}
		begin := time.Now()
		text, err := "", error(nil)
		if v == nil {
			v, err = visit(a.soak.http, a.name+".localhost")
			opened = begin
		}
		if err == nil {
			text, err = v.get()
		}
		if err == nil {
			a.answer(text, floor)
			continue
		}
		if v != nil {
			v.close()
			v = nil
		}
		a.fail(opened, err)
	}
	if v != nil {
		v.close()
	}
}

func (a *soakApp) lowest() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.floor
}

func (a *soakApp) raise(version int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.floor = max(a.floor, version)
}

// answer judges one: no version older than what was live when the request began, none that nobody has pushed. Whether its deployment
// succeeded is known in the end.
func (a *soakApp) answer(text string, floor int) {
	name, number, _ := strings.Cut(text, " ")
	version, err := strconv.Atoi(number)
	a.mu.Lock()
	a.tally.requests++
	wrong := name != a.name || err != nil || version < floor || version > a.pushed
	if wrong {
		a.tally.wrong++
	} else {
		a.answers[version]++
		a.floor = max(a.floor, version)
	}
	pushed := a.pushed
	a.mu.Unlock()
	if wrong {
		a.soak.breach("%s, of which version %d was live and %d pushed, answers %q", a.name, floor, pushed, text)
	}
}

// fail counts a request that failed on a connection of so long ago.
func (a *soakApp) fail(begin time.Time, err error) {
	dead := a.soak.outages.during(begin, time.Now())
	a.mu.Lock()
	a.tally.requests++
	if dead {
		a.tally.excused++
	} else {
		a.tally.failed++
	}
	a.mu.Unlock()
	if !dead {
		a.soak.breach("a request to %s failed: %v", a.name, err)
	}
}

// soakDeployment is what the server has recorded of one.
type soakDeployment struct{ Status, Commit string }

func (d soakDeployment) underWay() bool {
	return slices.Contains([]string{"queued", "building", "pushing", "starting"}, d.Status)
}

// recorded are all deployments of an app.
func (s *soak) recorded(ctx context.Context, a *soakApp) (all []soakDeployment, err error) {
	text, err := s.query(ctx, "", "deployments", a.name, "-n", "0", "--json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

// underWay lists the deployments that have not ended.
func (s *soak) underWay(ctx context.Context) (found []string, err error) {
	for _, a := range s.apps {
		all, err := s.recorded(ctx, a)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			if d.underWay() {
				found = append(found, fmt.Sprintf("%s: version %d %s", a.name, a.commits[d.Commit], d.Status))
			}
		}
	}
	return found, nil
}

// auditApp compares what the server has recorded of an app with what its clients have seen, with its branch and with what it answers.
func (s *soak) auditApp(ctx context.Context, a *soakApp) error {
	all, err := s.recorded(ctx, a)
	if err != nil {
		return err
	}
	live, commit, succeeded := 0, "", map[int]bool{}
	for _, d := range all {
		s.results[d.Status]++
		version := a.commits[d.Commit]
		switch {
		case d.Status == "success":
			succeeded[version] = true
			if version > live {
				live, commit = version, d.Commit
			}
		case d.underWay():
			s.breach("%s: the deployment of version %d reads %s although nothing is under way", a.name, version, d.Status)
		}
	}
	for version, count := range a.answers {
		if !succeeded[version] {
			a.tally.wrong += count
			s.breach("%s answered %d times as version %d, which never went live", a.name, count, version)
		}
	}
	head, err := a.gitOutput(ctx, "ls-remote", s.remote+a.name+".git", "master")
	if err != nil {
		return err
	}
	if head, _, _ = strings.Cut(head, "\t"); head != commit {
		s.breach("%s: master is at %s, the live commit is %s", a.name, head, commit)
	}
	v, err := visit(s.http, a.name+".localhost")
	if err != nil {
		return err
	}
	defer v.close()
	if text, err := v.get(); err != nil || text != fmt.Sprintf("%s %d", a.name, live) {
		s.breach("%s answers %q, %v: version %d is live", a.name, text, err, live)
	}
	return nil
}
