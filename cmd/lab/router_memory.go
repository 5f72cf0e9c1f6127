package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// measureMemory reads what each rival holds resident while 1,000 connections are open that have had an answer.
func (f *field) measureMemory(ctx context.Context, out io.Writer) (map[string]float64, error) {
	memory := map[string]float64{}
	for _, r := range f.rivals {
		mb, err := f.holdOpen(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("1,000 connections to %s: %w", r.name, err)
		}
		memory[r.name] = mb
		fmt.Fprintf(out, "%s: %.1f MB resident with 1,000 connections\n", r.name, mb)
	}
	return memory, nil
}

func (f *field) holdOpen(ctx context.Context, r *rival) (mb float64, err error) {
	cmd := exec.CommandContext(ctx, f.self, "router", "hold", r.ports[plainDoor], "1000")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line == holdsLine {
		mb, err = residentOf(r.process.Process.Pid)
	} else {
		err = errors.Join(err, errors.New("the connections could not be made"))
	}
	return mb, errors.Join(err, stdin.Close(), cmd.Wait())
}

// holdsLine is what runHold says once all connections are open.
const holdsLine = "connections are open\n"

// runHold keeps connections open that have had an answer, until its input ends: ADDRESS NUMBER.
func runHold(_ context.Context, args []string, out io.Writer) (map[string]any, error) {
	if len(args) != 2 {
		return nil, errUsage
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, errUsage
	}
	request := (&load{path: "/2"}).compose(routerHost)
	for range n {
		c, err := dialLine(args[0], false)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := c.exchange(request); err != nil {
			return nil, err
		}
	}
	fmt.Fprint(out, holdsLine)
	_, err = io.Copy(io.Discard, os.Stdin)
	return nil, err
}

// residentOf is the memory of a process and its children in MB; pages that they share count for each.
func residentOf(pid int) (mb float64, err error) {
	for _, pid := range family(pid) {
		u, err := memory(pid)
		if err != nil {
			return 0, err
		}
		mb += u.resident
	}
	return mb, nil
}
