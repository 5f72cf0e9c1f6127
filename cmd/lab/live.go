package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// liveRatio is the promise of `lab live`.
const liveRatio = 1.3

// runLive compares, version by version, what boathook does with a commit that it has received (from the record of the deployment
// to the switch) with what a person's script does: build the same context with the Docker API, start the container, dial it until it accepts.
// The whole push, which also packs, sends and checks the objects, is printed beside it.
func runLive(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab live", flag.ContinueOnError)
	rounds := fs.Int("rounds", 7, "deployments of each kind")
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

func (p *platform) measureLive(ctx context.Context, api *client.Client, rounds int, out io.Writer) (map[string]any, []string, error) {
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
	var pushes, lives, byHand []time.Duration
	for round := range rounds {
		push, live, err := p.pushToLive(ctx, dir, 2*round+1)
		if err != nil {
			return nil, nil, err
		}
		pushes, lives = append(pushes, push), append(lives, live)
		if binary, err = buildServer(ctx, p.dir, 2*round+2); err != nil {
			return nil, nil, err
		}
		took, err := handMade(ctx, api, filepath.Base(p.dir), binary)
		if err != nil {
			return nil, nil, err
		}
		byHand = append(byHand, took)
	}
	printPairs(out, "boathook", "by hand", lives, byHand)
	fmt.Fprintf(out, "the whole git push until the router answers: %.1f ms (median)\n", ms(median(pushes)))
	ratio := medianRatio(lives, byHand)
	var broken []string
	if ratio > liveRatio {
		broken = append(broken, fmt.Sprintf("%.2f times the work by hand, promised %.2f", ratio, liveRatio))
	}
	return map[string]any{"ratio": ratio, "boathook_ms": ms(median(lives)), "push_ms": ms(median(pushes)), "by_hand_ms": ms(median(byHand)), "rounds": rounds}, broken, nil
}

// pushToLive commits and pushes a version. push is from the start of git push until the router answers with it, live from the
// record of the received commit to the switch.
func (p *platform) pushToLive(ctx context.Context, dir string, version int) (push, live time.Duration, err error) {
	binary, err := buildServer(ctx, p.dir, version)
	if err != nil {
		return 0, 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "server"), binary, 0o755); err != nil {
		return 0, 0, err
	}
	if err := p.git(ctx, dir, "commit", "-q", "-a", "-m", strconv.Itoa(version)); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := p.git(ctx, dir, "push", "-q", "scalingo", "master"); err != nil {
		return 0, 0, err
	}
	if err := p.untilVersion(ctx, version); err != nil {
		return 0, 0, err
	}
	push = time.Since(begin)
	live, err = p.lastDeployment(ctx)
	return push, live, err
}

// lastDeployment is how long the newest deployment took, by its own record.
func (p *platform) lastDeployment(ctx context.Context) (time.Duration, error) {
	text, err := p.query(ctx, "", "deployments", appName, "-n", "1", "--json")
	if err != nil {
		return 0, err
	}
	var newest []struct{ Created, Finished time.Time }
	if err := json.Unmarshal(text, &newest); err != nil {
		return 0, err
	}
	if len(newest) != 1 || newest[0].Finished.IsZero() {
		return 0, fmt.Errorf("no finished deployment in %s", text)
	}
	return newest[0].Finished.Sub(newest[0].Created), nil
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

// handMade builds and starts the image with the Docker API alone and removes it afterwards; the time is until TCP accepts.
func handMade(ctx context.Context, api *client.Client, tag string, binary []byte) (took time.Duration, err error) {
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
	begin := time.Now()
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
	made, err := api.ContainerCreate(ctx, &container.Config{Image: tag, Env: []string{"PORT=5000"}}, nil, nil, nil, "")
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
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(state.NetworkSettings.Networks["bridge"].IPAddress, "5000"), time.Second)
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
