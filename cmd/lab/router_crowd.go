package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// cost is what a case through a rival was measured to take.
type cost struct {
	cpu      time.Duration // of the proxy per 1,000 requests, as many as it takes
	p50, p99 time.Duration // of the requests, half as many a second as nginx takes
	full99   time.Duration // p99 with as many requests as it takes, where proxy, app and clients wait for each other's turns
}

// measureCase sends the requests of a case through all rivals, who take turns that are short against what disturbs a shared machine: that
// meets all of them. A quantile is one of all turns together.
func (f *field) measureCase(ctx context.Context, run routerRun, c routerCase) (map[string]cost, error) {
	ctx, cancel := context.WithCancel(ctx)
	var crowds []*crowd
	defer func() {
		cancel()
		for _, one := range crowds {
			_ = one.cmd.Wait() // it has reported, or there is another error
		}
	}()
	half := 0
	for _, r := range f.rivals {
		one, err := f.gather(ctx, r, c, run.connections)
		if err != nil {
			return nil, err
		}
		crowds = append(crowds, one)
		requests := 0
		for range 2 { // the first makes connections above all
			if requests, err = one.take(turn{Length: run.duration}); err != nil {
				return nil, err
			}
		}
		if r.name == "nginx" {
			half = int(float64(requests) / run.duration.Seconds() / 2)
		}
	}
	for round := range run.rounds {
		for _, rate := range []int{0, half} {
			for i := range crowds {
				if _, err := crowds[(i+round)%len(crowds)].take(turn{rate, run.duration, true}); err != nil {
					return nil, err
				}
			}
		}
	}
	costs := map[string]cost{}
	for _, one := range crowds {
		found, err := one.cost()
		if err != nil {
			return nil, err
		}
		costs[one.rival.name] = found
	}
	return costs, nil
}

// crowd is the clients of a rival, a process that keeps its connections between its turns.
type crowd struct {
	rival *rival
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	spent time.Duration // the rival's CPU time in the turns that count and have no rate
}

// turn is what a crowd is told to do: a line of JSON, which is answered by the number of requests.
type turn struct {
	Rate   int           // requests a second, on all connections; 0 for as many as are answered
	Length time.Duration // how long
	Counts bool
}

// gather starts a crowd. Its first turn makes the connections, those of the proxy to the app too.
func (f *field) gather(ctx context.Context, r *rival, c routerCase, connections int) (*crowd, error) {
	args := append([]string{"router", "load", "-addr", r.ports[c.door], "-connections", strconv.Itoa(connections)}, c.load...)
	one := &crowd{rival: r, cmd: exec.CommandContext(ctx, f.self, args...)}
	one.cmd.Stderr = os.Stderr
	in, err := one.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := one.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	one.in, one.out = in, json.NewDecoder(out)
	return one, one.cmd.Start()
}

// take has a crowd take a turn, and returns how many requests were answered.
func (c *crowd) take(t turn) (requests int, err error) {
	before, err := cpuOf(c.rival.process.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := json.NewEncoder(c.in).Encode(t); err != nil {
		return 0, fmt.Errorf("clients of %s: %w", c.rival.name, err)
	}
	if err := c.out.Decode(&requests); err != nil {
		return 0, fmt.Errorf("clients of %s: %w", c.rival.name, err)
	}
	after, err := cpuOf(c.rival.process.Process.Pid)
	if t.Counts && t.Rate == 0 {
		c.spent += after - before
	}
	return requests, err
}

// cost ends a crowd's input, upon which it reports.
func (c *crowd) cost() (cost, error) {
	var r loadReport
	if err := errors.Join(c.in.Close(), c.out.Decode(&r)); err != nil {
		return cost{}, fmt.Errorf("report of the clients of %s: %w", c.rival.name, err)
	}
	if r.Full.Requests == 0 || r.Paced.Requests == 0 {
		return cost{}, fmt.Errorf("%s has answered nothing", c.rival.name)
	}
	return cost{cpu: c.spent * 1000 / time.Duration(r.Full.Requests), p50: r.Paced.P50, p99: r.Paced.P99, full99: r.Full.P99}, nil
}
