package docker_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"boathook/runner/docker"
)

// target is what a container tries to reach: "tcp 203.0.113.2 80". The host may be "gateway", the address of this
// machine in the container's network, or "gateway6".
type target string

func targets(port int, hosts ...string) []target {
	var all []target
	for _, host := range hosts {
		all = append(all, target(fmt.Sprintf("tcp %s %d", host, port)))
	}
	return all
}

// packets is a target of UDP. Its host has to answer from the address that was asked, as the first one it has in
// the network does.
func packets(port int, host string) target { return target(fmt.Sprintf("udp %s %d", host, port)) }

// dialer runs a script in a container and returns what it prints.
type dialer func(t *testing.T, script string) string

// fenced dials from a container of an app.
func fenced(e *docker.Engine, app string) dialer {
	return func(t *testing.T, script string) string {
		t.Helper()
		_, out := run(t, e, spec(app, "postdeploy", script))
		return out
	}
}

// dial returns what each target has answered: "hello", or an error.
func (d dialer) dial(t *testing.T, to ...target) map[target]string {
	t.Helper()
	var lines strings.Builder
	for _, one := range to {
		fmt.Fprintln(&lines, one)
	}
	out := d(t, `
		set -- $(busybox ip route); gateway=$3
		set -- $(busybox ip -6 route | grep default); gateway6=$3
		while read -r proto host port; do
			at=$host
			[ "$host" = gateway ] && at=$gateway
			[ "$host" = gateway6 ] && at=$gateway6
			if [ "$proto" = tcp ]; then
				got=$(nc -w 20 "$at" "$port" </dev/null 2>&1)
			else
				got=$({ exec 3<>"/dev/udp/$at/$port" && echo >&3 && busybox timeout 8 head -n 1 <&3; } 2>&1)
			fi
			echo "$proto $host $port="$got &
		done <<<'`+strings.TrimSpace(lines.String())+`'
		wait`)
	answers := map[target]string{}
	for line := range strings.Lines(out) {
		if name, answer, ok := strings.Cut(line, "="); ok {
			answers[target(name)] = strings.TrimSpace(answer)
		}
	}
	for _, one := range to {
		if _, ok := answers[one]; !ok {
			t.Fatalf("no answer about %q:\n%s", one, out)
		}
	}
	return answers
}

// reaches fails the test for every target that does not say hello.
func (d dialer) reaches(t *testing.T, to ...target) {
	t.Helper()
	for one, answer := range d.dial(t, to...) {
		if answer != "hello" {
			t.Errorf("does not reach %s: %q", one, answer)
		}
	}
}

// refused fails the test for every target that says hello, and for those of TCP that were not refused by the fence:
// the engine's own rules drop what they do not like without an answer.
func (d dialer) refused(t *testing.T, to ...target) {
	t.Helper()
	for one, answer := range d.dial(t, to...) {
		byFence := strings.HasSuffix(answer, "No route to host") || strings.HasSuffix(answer, "Permission denied") // IPv6
		if answer == "hello" || strings.HasPrefix(string(one), "tcp") && !byFence {
			t.Errorf("%s is not refused: %q", one, answer)
		}
	}
}

// plain makes a network that is not the engine's under test and dials from it.
func plain(t *testing.T, c *client.Client, options network.CreateOptions) dialer {
	t.Helper()
	name := "bhtest-" + strings.ToLower(rand.Text()[:12])
	if _, err := c.NetworkCreate(t.Context(), name, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.NetworkRemove(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return attached(c, name)
}

// attached dials from a container that the engine under test has not made.
func attached(c *client.Client, networkName string) dialer {
	return func(t *testing.T, script string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		made, err := c.ContainerCreate(ctx,
			&container.Config{Image: tinyImage, Entrypoint: []string{"/bin/bash", "-c", script}, User: "1000:1000"},
			&container.HostConfig{NetworkMode: container.NetworkMode(networkName)}, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		}()
		ended, failed := c.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
		if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case err := <-failed:
			t.Fatal(err)
		}
		logs, err := c.ContainerLogs(ctx, made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		var out strings.Builder
		if _, err := stdcopy.StdCopy(&out, &out, logs); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		return out.String()
	}
}
