package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// liveRatio is the promise of `lab live`.
const liveRatio = 1.3

// runLive compares, version by version, what boathook does with a commit that it has received (from the record of the deployment
// to the switch) with what a person's script does: build the same context with the Docker API, start the container, dial it until it accepts.
// The whole push, which also packs, sends and checks the objects, is printed beside it.
func runLive(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab live", flag.ContinueOnError)
	rounds := fs.Int("rounds", 12, "deployments of each kind")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, nil, err
	}
	defer api.Close()
	p, err := startPlatform(ctx, "-engine", "docker", "-drain-time", "1s", "-stop-time", "1s")
	if err != nil {
		return nil, nil, err
	}
	figures, broken, err := p.measureLive(ctx, api, *rounds, out)
	return figures, broken, errors.Join(err, p.stop())
}

func (p *platform) measureLive(ctx context.Context, api *client.Client, rounds int, out io.Writer) (_ map[string]any, _ []string, err error) {
	binary, err := buildServer(ctx, p.dir, 0)
	if err != nil {
		return nil, nil, err
	}
	dir, err := p.newRepo(ctx, "repo", map[string][]byte{"server": binary, "Dockerfile": []byte(scratchDockerfile)})
	if err != nil {
		return nil, nil, err
	}
	if err := p.git(ctx, dir, "push", "-q", "scalingo", "master"); err != nil { // warms both: not counted
		return nil, nil, err
	}
	own := filepath.Base(p.dir) + "-by-hand"
	made, err := api.NetworkCreate(ctx, own, network.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, api.NetworkRemove(context.WithoutCancel(ctx), made.ID)) }()
	var m liveRounds
	for round := range rounds {
		kinds := []func() error{
			func() error { return m.push(ctx, p, dir, 3*round+1) },
			func() error { return m.handMade(ctx, p, api, 3*round+2, "", &m.byHand) },
			func() error { return m.handMade(ctx, p, api, 3*round+3, own, &m.apart) },
		}
		for i := range kinds { // each is the first in its turn
			measure := kinds[(round+i)%len(kinds)]
			if err := errors.Join(p.untilRetired(ctx, api), measure()); err != nil {
				return nil, nil, err
			}
		}
	}
	printPairs(out, "boathook", "by hand", m.lives, m.byHand)
	fmt.Fprintf(out, "by hand in a network of the app's own, as boathook has it: %.1f ms (median), ratio %.2f\n", ms(median(m.apart)), medianRatio(m.lives, m.apart))
	fmt.Fprintf(out, "the whole git push until the router answers: %.1f ms (median)\nphases of boathook's, median ms:", ms(median(m.pushes)))
	for _, name := range slices.Sorted(maps.Keys(m.phases)) {
		fmt.Fprintf(out, " %s %.1f", name, ms(median(m.phases[name])))
	}
	fmt.Fprintln(out)
	ratio := medianRatio(m.lives, m.byHand)
	var broken []string
	if ratio > liveRatio {
		broken = append(broken, fmt.Sprintf("%.2f times the work by hand, promised %.2f", ratio, liveRatio))
	}
	return map[string]any{"ratio": ratio, "ratio_own_network": medianRatio(m.lives, m.apart), "boathook_ms": ms(median(m.lives)), "push_ms": ms(median(m.pushes)), "by_hand_ms": ms(median(m.byHand)), "by_hand_own_network_ms": ms(median(m.apart)), "rounds": rounds}, broken, nil
}

// liveRounds are the figures of the rounds so far.
type liveRounds struct {
	pushes, lives []time.Duration
	byHand, apart []time.Duration // in the engine's default network, and in one of the app's own
	phases        map[string][]time.Duration
}

// push commits and pushes a version. A push is from the start of git push until the router answers with it; it was live in the
// time from the record of the received commit to the switch.
func (m *liveRounds) push(ctx context.Context, p *platform, dir string, version int) error {
	binary, err := buildServer(ctx, p.dir, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "server"), binary, 0o755); err != nil {
		return err
	}
	if err := p.git(ctx, dir, "commit", "-q", "-a", "-m", strconv.Itoa(version)); err != nil {
		return err
	}
	begin := time.Now()
	if err := p.git(ctx, dir, "push", "-q", "scalingo", "master"); err != nil {
		return err
	}
	if err := p.untilVersion(ctx, version); err != nil {
		return err
	}
	m.pushes = append(m.pushes, time.Since(begin))
	return m.addRecord(ctx, p)
}

// addRecord adds how long the newest deployment and its phases took, by its own record.
func (m *liveRounds) addRecord(ctx context.Context, p *platform) error {
	text, err := p.query(ctx, "", "deployment", appName, "--json")
	if err != nil {
		return err
	}
	var newest struct {
		Created, Finished time.Time
		Phases            map[string]float64 // seconds
	}
	if err := json.Unmarshal(text, &newest); err != nil {
		return err
	}
	if newest.Finished.IsZero() {
		return fmt.Errorf("no finished deployment in %s", text)
	}
	m.lives = append(m.lives, newest.Finished.Sub(newest.Created))
	if m.phases == nil {
		m.phases = map[string][]time.Duration{}
	}
	for name, took := range newest.Phases {
		m.phases[name] = append(m.phases[name], time.Duration(took*float64(time.Second)))
	}
	return nil
}

// untilRetired waits for the old version's container to be gone, so that its removal is not measured.
func (p *platform) untilRetired(ctx context.Context, api *client.Client) error {
	for {
		all, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("name", filepath.Base(p.dir)))})
		if err != nil || len(all) == 1 {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *platform) untilVersion(ctx context.Context, version int) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http, nil)
		if err != nil {
			return err
		}
		req.Host = p.host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && string(body) == strconv.Itoa(version) {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handMade measures a version that is made by hand, in a network ("" is the default one), and adds the time to figures.
func (m *liveRounds) handMade(ctx context.Context, p *platform, api *client.Client, version int, in string, figures *[]time.Duration) error {
	binary, err := buildServer(ctx, p.dir, version)
	if err != nil {
		return err
	}
	took, err := handMade(ctx, api, filepath.Base(p.dir), in, binary)
	*figures = append(*figures, took)
	return err
}

// handMade builds and starts the image with the Docker API alone and removes it afterwards; the time is from the packing of the context until
// TCP accepts.
func handMade(ctx context.Context, api *client.Client, tag, in string, binary []byte) (took time.Duration, err error) {
	begin := time.Now()
	var body bytes.Buffer
	w := tar.NewWriter(&body)
	for name, content := range map[string][]byte{"Dockerfile": []byte(scratchDockerfile), "server": binary} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return 0, err
		}
		if _, err := w.Write(content); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	tag += ":by-hand"
	answer, err := api.ImageBuild(ctx, &body, build.ImageBuildOptions{Version: build.BuilderBuildKit, Tags: []string{tag}})
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, err
	}
	answer.Body.Close()
	defer func() {
		_, remove := api.ImageRemove(ctx, tag, image.RemoveOptions{Force: true, PruneChildren: true})
		err = errors.Join(err, remove)
	}()
	made, err := api.ContainerCreate(ctx, &container.Config{Image: tag, Env: []string{"PORT=5000"}}, &container.HostConfig{NetworkMode: container.NetworkMode(in)}, nil, nil, "")
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, api.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}))
	}()
	if err := api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return 0, err
	}
	state, err := api.ContainerInspect(ctx, made.ID)
	if err != nil {
		return 0, err
	}
	address := state.NetworkSettings.Networks[cmp.Or(in, "bridge")].IPAddress
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, "5000"), time.Second)
		if err == nil {
			took = time.Since(begin)
			return took, conn.Close()
		}
		if ctx.Err() != nil || time.Since(begin) > time.Minute {
			return 0, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
