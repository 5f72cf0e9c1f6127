package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The promises of `lab router`. Ratios are to nginx in the same round.
const (
	routerCPU    = 1.0  // of nginx's, on the cases that are promised
	routerP99    = 1.0  // the same
	routerMemory = 64.0 // MB with 1,000 connections
)

// roles are what the lab runs in processes of their own, by the first argument of `lab router`.
var roles = map[string]func(ctx context.Context, args []string, out io.Writer) (map[string]any, error){
	"app": serveApp, "proxy": serveProxy, "load": runLoad, "hold": runHold,
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
	{"log", loggedDoor, []string{"-path", "/2"}, false},
	{"tls", secureDoor, []string{"-path", "/2", "-tls"}, false},
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
	if len(args) > 0 && roles[args[0]] != nil {
		figures, err := roles[args[0]](ctx, args[1:], out)
		return figures, nil, err
	}
	var names []string
	for _, c := range routerCases {
		names = append(names, c.name)
	}
	run := routerRun{out: out}
	fs := flag.NewFlagSet("lab router", flag.ContinueOnError)
	fs.IntVar(&run.rounds, "rounds", 3, "measurements of each kind, beside one that is not counted")
	fs.DurationVar(&run.duration, "duration", time.Second, "time of a measurement")
	fs.IntVar(&run.connections, "connections", 32, "client connections")
	cases := fs.String("cases", strings.Join(names, ",")+","+manyHosts.name+",memory", "what to measure")
	rivals := fs.String("rivals", strings.Join(rivalNames, ","), "whom to measure; boathook and nginx always are")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	run.cases, run.rivals = strings.Split(*cases, ","), strings.Split(*rivals, ",")
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

// measure goes round: in each, every case, and in each case every rival, beginning with another one.
func (f *field) measure(ctx context.Context, run routerRun) (map[string]any, []string, error) {
	taken := map[string]map[string]*series{} // by case and rival
	for round := -1; round < run.rounds; round++ {
		duration := run.duration
		if round < 0 {
			duration /= 4 // not counted
		}
		for _, c := range f.cases(run) {
			for i := range f.rivals {
				r := f.rivals[(i+round+1)%len(f.rivals)]
				if !c.fits(r) {
					continue
				}
				cost, err := r.load(ctx, c, run.connections, duration)
				if err != nil {
					return nil, nil, fmt.Errorf("%s through %s: %w", c.name, r.name, err)
				}
				if round >= 0 {
					note(taken, c.name, r.name, cost)
				}
			}
		}
		fmt.Fprintf(run.out, "round %d of %d\n", round+1, run.rounds)
	}
	figures, broken := f.report(run, taken)
	if slices.Contains(run.cases, "memory") {
		memory, err := f.measureMemory(ctx, run.out)
		if err != nil {
			return nil, nil, err
		}
		if figures["memory_mb"] = memory; memory["boathook"] > routerMemory {
			broken = append(broken, fmt.Sprintf("%.1f MB with 1,000 connections, promised %.0f", memory["boathook"], routerMemory))
		}
	}
	return figures, broken, nil
}

// manyHosts is a case, and the name of the boathook in it that has 10,000 hosts, which are asked in turn.
var manyHosts = routerCase{"many hosts", plainDoor, []string{"-path", "/2"}, false}

// fits tells whether a rival takes part in a case. Boathook with one host is what the case of many is compared with.
func (c routerCase) fits(r *rival) bool {
	if c.name == manyHosts.name {
		return r.name == manyHosts.name || r.name == "boathook"
	}
	return r.name != manyHosts.name
}

func (f *field) cases(run routerRun) (chosen []routerCase) {
	for _, c := range append(slices.Clone(routerCases), manyHosts) {
		if slices.Contains(run.cases, c.name) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// series are the measurements of a case through a rival, one a round.
type series struct{ cpu, p50, p99 []time.Duration }

func note(taken map[string]map[string]*series, name, rival string, c cost) {
	if taken[name] == nil {
		taken[name] = map[string]*series{}
	}
	s := taken[name][rival]
	if s == nil {
		s = &series{}
		taken[name][rival] = s
	}
	s.cpu, s.p50, s.p99 = append(s.cpu, c.cpu), append(s.p50, c.p50), append(s.p99, c.p99)
}

// report prints the table of medians and ratios, and holds them against the promises.
func (f *field) report(run routerRun, taken map[string]map[string]*series) (map[string]any, []string) {
	figures, broken := map[string]any{"rounds": run.rounds, "connections": run.connections}, []string(nil)
	w := tabwriter.NewWriter(run.out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\tthrough\tCPU ms/1,000\tratio\tp50 ms\tratio\tp99 ms\tratio\t")
	for _, c := range f.cases(run) {
		base := taken[c.name]["nginx"]
		if c.name == manyHosts.name {
			base = taken[c.name]["boathook"]
		}
		ratios := map[string]map[string]float64{}
		for _, r := range f.rivals {
			s := taken[c.name][r.name]
			if s == nil {
				continue
			}
			cpu, p50, p99 := hundredths(s.cpu, base.cpu), hundredths(s.p50, base.p50), hundredths(s.p99, base.p99)
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", c.name, r.name, ms(median(s.cpu)), cpu, ms(median(s.p50)), p50, ms(median(s.p99)), p99)
			ratios[r.name] = map[string]float64{"cpu_ms": ms(median(s.cpu)), "cpu": cpu, "p50": p50, "p99": p99}
			if r.name == "boathook" && c.promised {
				broken = append(broken, hold(c.name, cpu, p99)...)
			}
		}
		figures[c.name] = ratios
	}
	w.Flush()
	fmt.Fprintln(run.out, "Medians of the rounds. The ratios are to nginx in the same round; of many hosts, to boathook with one host.")
	return figures, broken
}

// hundredths is medianRatio to two decimals, as it is printed and promised.
func hundredths(a, b []time.Duration) float64 { return math.Round(100*medianRatio(a, b)) / 100 }

// hold compares with the promises.
func hold(name string, cpu, p99 float64) (broken []string) {
	if cpu > routerCPU {
		broken = append(broken, fmt.Sprintf("%s: %.2f times nginx's CPU time, promised %.2f", name, cpu, routerCPU))
	}
	if p99 > routerP99 {
		broken = append(broken, fmt.Sprintf("%s: %.2f times nginx's p99, promised %.2f", name, p99, routerP99))
	}
	return broken
}
