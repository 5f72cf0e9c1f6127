package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The promises of `lab router`. Ratios are to nginx in the same round.
const (
	routerCPU    = 1.0  // of nginx's, on the cases that are promised
	routerP99    = 1.0  // the same, with half as many requests as nginx takes and with as many as each takes
	routerMemory = 64.0 // MB with 1,000 connections
)

// role is what the lab runs in a process of its own, by the first argument of `lab router`; nil if that is no role.
func role(name string) func(ctx context.Context, args []string, out io.Writer) (map[string]any, error) {
	switch name {
	case "app":
		return serveApp
	case "proxy":
		return serveProxy
	case "load":
		return runLoad
	case "hold":
		return runHold
	}
	return nil
}

// routerCase is a kind of request.
type routerCase struct {
	name     string
	door     door
	load     []string // flags of runLoad
	promised bool     // as cheap and as fast as nginx
}

var routerCases = []routerCase{
	{"small", plainDoor, []string{"-path", "/2"}, true},
	{"10k", plainDoor, []string{"-path", "/10240"}, true},
	{"1m", plainDoor, []string{"-path", "/1048576"}, true},
	{"post", plainDoor, []string{"-path", "/2", "-body", "10240"}, true},
	{"many hosts", manyDoor, []string{"-path", "/2", "-hosts", strconv.Itoa(manyHosts)}, true},
	{"log", loggedDoor, []string{"-path", "/2"}, true},
	{"tls", secureDoor, []string{"-path", "/2", "-tls"}, true},
	{"close", plainDoor, []string{"-path", "/2", "-close"}, false},
}

// routerRun is what a run is asked for.
type routerRun struct {
	rounds, connections int
	duration            time.Duration
	cases, rivals       []string
	out                 io.Writer
}

// runRouter sends the same requests through boathook's router and through others, each in a process of its own, in turn.
func runRouter(ctx context.Context, args []string, out io.Writer) (figures map[string]any, broken []string, err error) {
	if len(args) > 0 {
		if play := role(args[0]); play != nil {
			figures, err = play(ctx, args[1:], out)
			return figures, nil, err
		}
	}
	var names []string
	for _, c := range routerCases {
		names = append(names, c.name)
	}
	run := routerRun{out: out}
	fs := flag.NewFlagSet("lab router", flag.ContinueOnError)
	// Many short measurements say more than a few long ones: what disturbs a machine lasts for a second or so, and then meets all rivals of a round.
	fs.IntVar(&run.rounds, "rounds", 21, "measurements of each kind, beside one that is not counted")
	fs.DurationVar(&run.duration, "duration", 400*time.Millisecond, "time of a measurement")
	fs.IntVar(&run.connections, "connections", 32, "client connections")
	cases := fs.String("cases", strings.Join(names, ",")+",memory", "what to measure")
	rivals := fs.String("rivals", strings.Join(rivalNames, ","), "whom to measure; boathook and nginx always are")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	run.cases, run.rivals = strings.Split(*cases, ","), strings.Split(*rivals, ",")
	if run.rounds < 1 {
		return nil, nil, errors.New("-rounds is at least 1")
	}
	dir, err := os.MkdirTemp("", "boathook-lab-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	field, err := openField(ctx, dir, run)
	if err != nil {
		return nil, nil, err
	}
	defer field.close()
	return field.measure(ctx, run)
}

// measure takes rounds, the first of which is not counted.
func (f *field) measure(ctx context.Context, run routerRun) (map[string]any, []string, error) {
	first := results{}
	if err := f.goRound(ctx, run, 0, run.duration/4, first); err != nil {
		return nil, nil, err
	}
	for _, c := range f.cases(run) {
		f.rates[c.name] = first.rate(c.name, run.duration/4) / 2
	}
	taken := results{}
	for round := range run.rounds {
		if err := f.goRound(ctx, run, round, run.duration, taken); err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(run.out, "round %d of %d\n", round+1, run.rounds)
	}
	figures, broken := f.report(run, taken)
	if !slices.Contains(run.cases, "memory") {
		return figures, broken, nil
	}
	memory, err := f.measureMemory(ctx, run.out)
	if err != nil {
		return nil, nil, err
	}
	figures["memory_mb"] = memory
	if memory["boathook"] > routerMemory {
		broken = append(broken, fmt.Sprintf("%.1f MB with 1,000 connections, promised %.0f", memory["boathook"], routerMemory))
	}
	return figures, broken, nil
}

// goRound measures every case through every rival, beginning with another one each round.
func (f *field) goRound(ctx context.Context, run routerRun, round int, duration time.Duration, taken results) error {
	for _, c := range f.cases(run) {
		for i := range f.rivals {
			r := f.rivals[(i+round)%len(f.rivals)]
			cost, err := r.load(ctx, c, run.connections, f.rates[c.name], duration)
			if err != nil {
				return fmt.Errorf("%s through %s: %w", c.name, r.name, err)
			}
			taken.note(c.name, r.name, cost)
		}
	}
	return nil
}

func (f *field) cases(run routerRun) (chosen []routerCase) {
	for _, c := range routerCases {
		if slices.Contains(run.cases, c.name) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
