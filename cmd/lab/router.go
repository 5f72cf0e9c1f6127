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

// The promises of `lab router`. Ratios are to nginx in the same run.
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
	fs.IntVar(&run.rounds, "rounds", 80, "turns of each rival in each case, beside one that does not count")
	fs.DurationVar(&run.duration, "duration", 100*time.Millisecond, "time of a turn")
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

// measure takes one case after the other.
func (f *field) measure(ctx context.Context, run routerRun) (map[string]any, []string, error) {
	taken := results{}
	for _, c := range f.cases(run) {
		costs, err := f.measureCase(ctx, run, c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.name, err)
		}
		taken[c.name] = costs
		fmt.Fprintln(run.out, "measured:", c.name)
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

func (f *field) cases(run routerRun) (chosen []routerCase) {
	for _, c := range routerCases {
		if slices.Contains(run.cases, c.name) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
