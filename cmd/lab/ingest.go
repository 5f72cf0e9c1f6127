package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"boathook/receive/gitpack"
)

// The promises of `lab ingest`.
const (
	ingestRatio  = 1.15 // of git receive-pack's wall time
	ingestMemory = 40.0 // MB, of the receiving process itself
)

// runIngest pushes one large history again and again, in turn to git receive-pack and to gitpack, over a pipe: no SSH, no
// deployment, the same client.
func runIngest(ctx context.Context, args []string, out io.Writer) (_ map[string]any, _ []string, err error) {
	fs := flag.NewFlagSet("lab ingest", flag.ContinueOnError)
	rounds := fs.Int("rounds", 5, "pushes of each kind")
	checked := fs.Bool("checked", false, "let git receive-pack check every object too (receive.fsckObjects), as boathook always does")
	objects := fs.Int("objects", 100_000, "objects in the pack")
	megabytes := fs.Int("mb", 40, "size of the pack in MB")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	dir, err := os.MkdirTemp("", "boathook-lab-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source := filepath.Join(dir, "source.git")
	fmt.Fprintf(out, "making a history of %d objects, %d MB\n", *objects, *megabytes)
	if err := makeHistory(ctx, source, *objects, *megabytes<<20); err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	theirs := "git receive-pack"
	if *checked {
		theirs = "git -c receive.fsckObjects=true receive-pack"
	}
	var ours, gits []time.Duration
	peak := usage{}
	for round := range *rounds {
		target := filepath.Join(dir, fmt.Sprintf("git-%d.git", round))
		if err := command(ctx, dir, nil, "git", "init", "-q", "--bare", target); err != nil {
			return nil, nil, err
		}
		took, err := timedPush(ctx, source, target, theirs)
		if err != nil {
			return nil, nil, err
		}
		gits = append(gits, took)

		repos, report := filepath.Join(dir, fmt.Sprintf("ours-%d", round)), filepath.Join(dir, "report")
		if err := createRepository(ctx, repos); err != nil {
			return nil, nil, err
		}
		took, err = timedPush(ctx, source, filepath.Join(repos, appName+".git"), fmt.Sprintf("'%s' receive-pack '%s' '%s'", self, repos, report))
		if err != nil {
			return nil, nil, err
		}
		ours = append(ours, took)
		var u usage
		if err := readReport(report, &u); err != nil {
			return nil, nil, err
		}
		peak.peak, peak.resident = max(peak.peak, u.peak), max(peak.resident, u.resident)
		if err := errors.Join(os.RemoveAll(target), os.RemoveAll(repos)); err != nil {
			return nil, nil, err
		}
	}
	printPairs(out, "boathook", "receive-pack", ours, gits)
	fmt.Fprintf(out, "peak memory: %.1f MB the server, %.1f MB its largest git child\n", peak.peak, peak.resident)
	ratio := medianRatio(ours, gits)
	var broken []string
	if ratio > ingestRatio {
		broken = append(broken, fmt.Sprintf("%.2f times git receive-pack's wall time, promised %.2f", ratio, ingestRatio))
	}
	if peak.peak > ingestMemory {
		broken = append(broken, fmt.Sprintf("%.1f MB of memory, promised %.0f", peak.peak, ingestMemory))
	}
	return map[string]any{
		"ratio": ratio, "boathook_ms": ms(median(ours)), "receive_pack_ms": ms(median(gits)),
		"server_mb": peak.peak, "child_mb": peak.resident, "checked": *checked, "objects": *objects, "pack_mb": *megabytes,
	}, broken, nil
}

func timedPush(ctx context.Context, source, target, program string) (time.Duration, error) {
	begin := time.Now()
	err := command(ctx, source, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null"), "git", "push", "-q", "--receive-pack="+program, target, "master")
	return time.Since(begin), err
}

// makeHistory writes a repository of small random files, a third of the objects being what trees and commits need.
func makeHistory(ctx context.Context, path string, objects, bytes int) error {
	if err := command(ctx, "", nil, "git", "init", "-q", "--bare", "-b", "master", path); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	cmd.Dir = path
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	const filesPerCommit = 50
	random := rand.New(rand.NewPCG(1, 2))
	commits := objects / (filesPerCommit + 2)
	size := bytes / (commits * filesPerCommit)
	content := make([]byte, size)
	for c := range commits {
		fmt.Fprintf(stdin, "commit refs/heads/master\ncommitter Lab <lab@example.com> %d +0000\ndata 1\nx\n", 1_700_000_000+c)
		for f := range filesPerCommit {
			for i := range content {
				content[i] = byte(random.UintN(256))
			}
			fmt.Fprintf(stdin, "M 100644 inline %d/%d\ndata %d\n%s\n", c, f, size, content)
		}
	}
	if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("git fast-import: %w: %s", err, complaint.String())
	}
	return command(ctx, path, nil, "git", "repack", "-adq")
}

func openRepositories(dir string) (*gitpack.Repos, error) {
	return gitpack.Open(gitpack.Config{Dir: dir, Log: slog.New(slog.DiscardHandler), Version: "lab"})
}

// createRepository makes an empty repository, as git init does for the other side before the clock starts.
func createRepository(ctx context.Context, dir string) error {
	repos, err := openRepositories(dir)
	if err != nil {
		return err
	}
	return repos.Create(ctx, appName)
}

// accept is a deployment of no effort.
type accept struct{}

func (accept) Deploy(context.Context, *gitpack.Push) error { return nil }

// receivePack is what `git push --receive-pack` runs: lab receive-pack REPOSITORIES REPORT PATH.
func receivePack(ctx context.Context, args []string) int {
	repos, err := openRepositories(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := repos.ReceivePack(ctx, appName, os.Stdin, os.Stdout, os.Stderr, accept{})
	self, err := memory(os.Getpid())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var children syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	report, _ := json.Marshal([2]float64{self.peak, float64(children.Maxrss) * 1024 / 1e6})
	if err := os.WriteFile(args[1], report, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// readReport reads what receivePack wrote: the server's own peak, and that of its largest child in resident.
func readReport(path string, u *usage) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var figures [2]float64
	if err := json.Unmarshal(text, &figures); err != nil {
		return fmt.Errorf("%s: %w", strconv.Quote(path), err)
	}
	u.peak, u.resident = figures[0], figures[1]
	return nil
}
