package builder

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// rooms makes a network for every build and removes it when the build leaves, which the engine refuses while a
// container is in it.
type rooms struct {
	t       *testing.T
	docker  *client.Client
	entered []string // apps
	subnet  string   // of the last network
	left    int
}

func (r *rooms) join(ctx context.Context, app string) (string, func(context.Context) error, error) {
	name := fmt.Sprintf("test-builder-%d", time.Now().UnixNano())
	if _, err := r.docker.NetworkCreate(ctx, name, network.CreateOptions{}); err != nil {
		return "", nil, err
	}
	r.entered = append(r.entered, app)
	r.t.Cleanup(func() {
		if err := r.docker.NetworkRemove(context.Background(), name); !errdefs.IsNotFound(err) {
			r.t.Errorf("the network was left: %v", err)
		}
	})
	leave := func(ctx context.Context) error {
		r.left++
		err := r.docker.NetworkRemove(ctx, name)
		if err != nil {
			r.t.Error(err)
		}
		return err
	}
	got, err := r.docker.NetworkInspect(ctx, name, network.InspectOptions{})
	if err != nil {
		return "", nil, err
	}
	r.subnet = got.IPAM.Config[0].Subnet
	return name, leave, nil
}

// used tells that builds of the app have been in a network of their own, how often, and that the last of them said
// so in out.
func (r *rooms) used(app string, times int, out string) {
	r.t.Helper()
	if len(r.entered) != times || r.left != times || times > 0 && r.entered[times-1] != app {
		r.t.Errorf("networks of %v, %d left; want %d of %s", r.entered, r.left, times, app)
	}
	if in := r.subnet != "" && strings.Contains(out, r.subnet); in != (times > 0) {
		r.t.Errorf("in a network of the app: %t; output:\n%s", in, out)
	}
}

// showNetworks prints the subnets of the networks that a container is in.
const showNetworks = "busybox ip route"

func TestBuildpackJoinsTheApp(t *testing.T) {
	for _, test := range []struct {
		network, compile string
		times            int
	}{
		{"", showNetworks, 1}, {"app", showNetworks, 1}, {"", showNetworks + "; exit 1", 1}, {"none", showNetworks, 0}, {"bridge", showNetworks, 0},
	} {
		t.Run(test.network+" "+test.compile, func(t *testing.T) {
			r := &rooms{t: t, docker: engine(t)}
			s := dockerSite(t, func(cfg *Config) { cfg.LocalURLs, cfg.Network, cfg.Join = true, test.network, r.join })
			bp := newPack(t, map[string]string{"bin/compile": test.compile})
			_, out, err := s.build(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": bp.url()})
			if (err != nil) != strings.Contains(test.compile, "exit 1") {
				t.Fatalf("%v\n%s", err, out)
			}
			r.used("my-app", test.times, out)
		})
	}
}

// TestDockerfileJoinsTheApp builds with BuildKit, which cannot, and with the classic builder, failing and not.
func TestDockerfileJoinsTheApp(t *testing.T) {
	for _, test := range []struct {
		network, run string
		times        int
	}{
		{"", showNetworks, 0}, {"app", showNetworks, 1}, {"app", showNetworks + " && false", 1}, {"none", showNetworks, 0},
	} {
		t.Run(test.network+" "+test.run, func(t *testing.T) {
			r := &rooms{t: t, docker: engine(t)}
			s := newEngineSite(t, func(cfg *Config) { cfg.Network, cfg.Join = test.network, r.join })
			_, out, err := s.build(t.Context(), map[string]string{"Dockerfile": "FROM " + s.tiny() + "\nRUN " + test.run + "\nCMD [\"x\"]\n"}, nil)
			if (err != nil) != strings.Contains(test.run, "false") {
				t.Fatalf("%v\n%s", err, out)
			}
			r.used("my-app", test.times, out)
		})
	}
}
