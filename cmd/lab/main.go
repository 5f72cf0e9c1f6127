// Command lab holds the measuring programs: each compares boathook with what it promises, in one run on one
// machine, prints a table and, as its last line, one JSON object of its figures, and exits non-zero when a promise is broken.
//
//	go run ./cmd/lab NAME [flags]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// program is one measurement. figures is what becomes the JSON object; broken lists the promises that did not hold.
type program struct {
	name, summary string
	run           func(ctx context.Context, args []string, out io.Writer) (figures map[string]any, broken []string, err error)
}

var errUsage = errors.New("usage")

func programs() []program {
	return []program{
		{"switch", "requests under load while deployments switch: none may fail, none may be answered by an old version after a new one", runSwitch},
		{"ingest", "receiving a large pack, against git receive-pack", runIngest},
		{"live", "from pushed commit to live, against the same image built and started by hand with the Docker API", runLive},
		{"push", "a one-commit push, against OpenSSH's sshd with git receive-pack", runPush},
		{"soak", "deployments of many apps at once, good and bad, under load and kills: no wrong answer, nothing lost, nothing left", runSoak},
		{"faults", "a kill at every event of a deployment, and an engine that fails in every phase: points and outcomes", runFaults},
		{"hostile", "hostile pushes: cases and outcomes", runHostile},
		{"idle", "memory of an idle server", runIdle},
		{"router", "CPU time, latency and memory of the router, against nginx, haproxy and Go's ReverseProxy", runRouter},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 4 && args[0] == "receive-pack" { // run by git for `lab ingest`
		return receivePack(ctx, args[1:])
	}
	at := -1
	if len(args) > 0 {
		at = slices.IndexFunc(programs(), func(p program) bool { return p.name == args[0] })
	}
	if at < 0 {
		fmt.Fprintln(stderr, "usage: lab NAME [flags]")
		for _, p := range programs() {
			fmt.Fprintf(stderr, "  %-8s %s\n", p.name, p.summary)
		}
		return 2
	}
	figures, broken, err := programs()[at].run(ctx, args[1:], stdout)
	switch {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, errUsage):
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "lab:", err)
		return 1
	}
	for _, promise := range broken {
		fmt.Fprintln(stdout, "BROKEN:", promise)
	}
	line, err := json.Marshal(figures)
	if err != nil {
		fmt.Fprintln(stderr, "lab:", err)
		return 1
	}
	fmt.Fprintln(stdout, string(line))
	if len(broken) > 0 {
		return 1
	}
	return 0
}
