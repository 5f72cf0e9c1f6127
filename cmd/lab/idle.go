package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// runIdle reads the memory of a server that has one live app and nothing to do.
func runIdle(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab idle", flag.ContinueOnError)
	engine := fs.String("engine", "auto", "docker, local or auto")
	settle := fs.Duration("settle", 5*time.Second, "time between the deployment and the reading")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	p, err := startPlatform(ctx, "-engine", *engine)
	if err != nil {
		return nil, nil, err
	}
	figures, err := p.measureIdle(ctx, *settle, out)
	return figures, nil, errors.Join(err, p.stop())
}

func (p *platform) measureIdle(ctx context.Context, settle time.Duration, out io.Writer) (map[string]any, error) {
	fresh, err := memory(p.server.Process.Pid)
	if err != nil {
		return nil, err
	}
	binary, err := buildServer(ctx, p.dir, 0)
	if err != nil {
		return nil, err
	}
	dir, err := p.newRepo(ctx, "repo", map[string][]byte{"server": binary, "Procfile": []byte("web: ./server\n")})
	if err != nil {
		return nil, err
	}
	if err := p.git(ctx, dir, "push", "-q", "scalingo", "master"); err != nil {
		return nil, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	idle, err := memory(p.server.Process.Pid)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "after the start      %5.1f MB resident, %5.1f MB at most\n", fresh.resident, fresh.peak)
	fmt.Fprintf(out, "after a deployment   %5.1f MB resident, %5.1f MB at most\n", idle.resident, idle.peak)
	return map[string]any{"start_mb": fresh.resident, "idle_mb": idle.resident, "peak_mb": idle.peak}, nil
}

// usage is a process's memory in megabytes of 10^6 bytes.
type usage struct{ resident, peak float64 }

// memory reads VmRSS and VmHWM of /proc/PID/status (proc(5)).
func memory(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	var u usage
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		kib, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			u.resident = kib * 1024 / 1e6
		case "VmHWM":
			u.peak = kib * 1024 / 1e6
		}
	}
	return u, nil
}
