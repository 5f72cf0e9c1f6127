package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"boathook/builder"
	"boathook/receive/deploy"
)

// config is every setting of `boathook serve`. Each can be given as a flag (-ssh-addr), in the environment
// (BOATHOOK_SSH_ADDR) or in the file named by -config (a line "ssh-addr 0.0.0.0:22"); the first of these wins.
type config struct {
	webConfig
	sshAddr string
	region  string
	engine  string

	namespace  string
	stack      string
	stackImage list
	buildpacks list
	rewrite    list
	mirror     string
	network    string
	reach      endpoints
	fence      list
	proxy      string
	caFile     string

	build          builder.Limits
	deploy         deploy.Limits
	packSize       size
	repositorySize size
	logSize        size

	sshConnections int
	sshPerIP       int
	sshIdle        time.Duration
	userCA         string
	userCAs        []ssh.PublicKey // in the file userCA
	finish         time.Duration
}

// flags declares the settings on a new flag set, which prints nothing by itself.
func (c *config) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("boathook serve", flag.ContinueOnError)
	c.declare(fs)
	c.httpAddr = "0.0.0.0:8080"
	fs.Var(&doorway{&c.httpAddr}, "http-addr", "`address` of the router, or none: 'boathook router' has it")
	addressVar(fs, &c.sshAddr, "ssh-addr", "0.0.0.0:2222", "`address` of the SSH git server")
	fs.StringVar(&c.region, "region", "local", "`name` in $REGION_NAME")
	choiceVar(fs, &c.engine, "engine", "auto docker local", "`kind` of engine: docker, local, or auto, which is docker if an engine answers and else local")

	fs.StringVar(&c.namespace, "namespace", "", "`label` that tells this server's containers from those of another on the same engine (default one of the data directory's own)")
	fs.StringVar(&c.stack, "stack", "scalingo-24", "`name` in $STACK")
	fs.Var(&c.stackImage, "stack-image", "base `image` of buildpack builds, may be repeated: the first that can be had; \"tiny\" makes a small one here (default scalingo/scalingo-24, heroku/heroku:24-build)")
	fs.Var(&c.buildpacks, "buildpack", "`NAME=URL` tried by detection, may be repeated; \"none\" for an empty list (default: the usual languages)")
	fs.Var(&c.rewrite, "buildpack-rewrite", "`PREFIX=PREFIX` replaced in buildpack URLs, may be repeated (mirrors)")
	linkVar(fs, &c.mirror, "debian-mirror", "http://deb.debian.org/debian", "`URL` for stack images made here")
	fs.StringVar(&c.network, "build-network", "", "engine `network` of builds: \"none\" for no network, \"app\" for the app's own, in which Dockerfiles are built by the classic builder (default: buildpacks in the app's own, Dockerfiles in the engine's default one)")
	fs.Var(&c.reach, "container-reach", "`address:port` of this machine that containers may connect to, may be repeated (default none: a fence keeps them from this machine)")
	fs.Var(&c.fence, "fence-bridge", "network `bridge` whose containers are kept from this machine as well, may be repeated: docker0 if Dockerfiles are built and nothing else runs in it")
	fs.Var((*link)(&c.proxy), "build-proxy", "HTTP proxy `URL` of builds")
	fs.StringVar(&c.caFile, "build-ca", "", "PEM `file` of an additional certificate authority for builds")

	durationVar(fs, &c.build.Time, "build-time", 30*time.Minute, "longest build")
	bytesVar(fs, &c.build.ImageSize, "image-size", "2GiB", "largest image")
	bytesVar(fs, &c.build.CacheSize, "cache-size", "2GiB", "largest build cache of an app; a larger one is emptied")
	bytesVar(fs, &c.build.SourceSize, "source-size", "300MB", "largest source tree, unpacked")
	countVar(fs, &c.build.SourceFiles, "source-files", 200_000, "most files in a source tree")
	bytesVar(fs, &c.build.Memory, "build-memory", "2GiB", "memory of a build")
	bytesVar(fs, (*int64)(&c.packSize), "pack-size", "1GiB", "largest pack of a push")
	bytesVar(fs, (*int64)(&c.repositorySize), "repository-size", "4GiB", "largest repository of an app")
	bytesVar(fs, (*int64)(&c.logSize), "log-size", "10MB", "what is kept of the output of an app, its hooks and the router")

	countVar(fs, &c.deploy.Concurrent, "deployments", 10, "deployments at once per owner")
	durationVar(fs, &c.deploy.Boot, "boot-time", 60*time.Second, "until every web container must accept TCP")
	durationVar(fs, &c.deploy.Grace, "grace-time", 2*time.Second, "how long a type without a port must stay up")
	durationVar(fs, &c.deploy.Hook, "hook-time", 20*time.Minute, "longest postdeploy hook")
	durationVar(fs, &c.deploy.Drain, "drain-time", 30*time.Second, "for requests in flight on the old version")
	durationVar(fs, &c.deploy.Stop, "stop-time", 30*time.Second, "between SIGTERM and SIGKILL")
	bytesVar(fs, &c.deploy.LogSize, "deployment-log-size", "10MiB", "output of builds and hooks that a deployment's log keeps; the pusher sees all of it")
	countVar(fs, &c.deploy.Releases, "releases", 5, "successful releases kept per app")
	countVar(fs, &c.deploy.Crashes, "crashes", 12, "crashes of a container in a row until it is given up")
	countVar(fs, &c.deploy.OneOffs, "one-offs", 10, "containers of 'run' at once per app")
	bytesVar(fs, &c.deploy.DiskFree, "disk-free", "1GiB", "free space without which no deployment begins")

	countVar(fs, &c.sshConnections, "ssh-connections", 200, "SSH connections at once")
	countVar(fs, &c.sshPerIP, "ssh-connections-per-ip", 50, "SSH connections at once from one address")
	durationVar(fs, &c.sshIdle, "ssh-idle", 10*time.Minute, "after which a silent SSH connection is closed")
	fs.StringVar(&c.userCA, "user-ca", "", "`file` of public keys, one a line: SSH certificates that one of them signed for a user's name log that user in")
	durationVar(fs, &c.finish, "finish-time", 10*time.Minute, "for deployments, retirements and attached one-offs under way when another boathook replaces this one (SIGUSR2)")
	return fs
}

// parseConfig reads the settings from flags, environment and file. flag.ErrHelp means that the usage has been printed on usage.
func parseConfig(args []string, usage io.Writer) (*config, error) {
	c := &config{}
	if err := parseSettings(c.flags(), args, usage); err != nil {
		return nil, err
	}
	return c, c.check()
}

// check finds what is wrong with settings that are well formed.
func (c *config) check() (err error) {
	if c.apart() {
		if err := c.checkApart(); err != nil {
			return err
		}
	}
	if err := c.checkWeb(); err != nil {
		return err
	}
	if _, err := c.buildpackList(); err != nil {
		return err
	}
	if _, err := c.rewrite.pairs("buildpack-rewrite"); err != nil {
		return err
	}
	if c.caFile != "" {
		if _, err := os.ReadFile(c.caFile); err != nil {
			return fmt.Errorf("build-ca: %w: name a PEM file that boathook may read", err)
		}
	}
	if c.userCA != "" {
		if c.userCAs, err = readUserCAs(c.userCA); err != nil {
			return fmt.Errorf("user-ca: %w", err)
		}
	}
	return nil
}

// apart tells whether the routing is left to `boathook router`.
func (c *config) apart() bool { return c.httpAddr == none }

// checkApart finds the settings that are of no use without a router.
func (c *config) checkApart() error {
	for _, one := range []struct {
		name string
		set  bool
	}{
		{"https-addr", c.httpsAddr != ""}, {"acme", c.acme}, {"acme-email", c.acmeEmail != ""}, {"acme-ca-root", c.acmeCARoot != ""}, {"access-log", c.accessLog != ""},
		{"proxy-protocol", c.proxyProtocol}, {"trust-forwarded", len(c.trustForwarded) > 0},
	} {
		if one.set {
			return fmt.Errorf("%s: with http-addr none this is for 'boathook router': give it there", one.name)
		}
	}
	if c.appsURL == "" {
		return errors.New("http-addr: with none nothing here says where apps are reached: set apps-url, to where 'boathook router' has its port")
	}
	return nil
}

// apps is the parsed -apps-url; router is where the router listens, for the default.
func (c *config) apps(router net.Listener) (*url.URL, error) {
	text := c.appsURL
	if text == "" {
		_, port, err := net.SplitHostPort(router.Addr().String())
		if err != nil {
			return nil, err
		}
		text = "http://localhost:" + port
	}
	return url.Parse(text)
}

// socket is where the management commands reach the server.
func socket(data string) string { return filepath.Join(data, "admin.sock") }

// defaultData is /var/lib/boathook for root, else a directory below the user's home.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/boathook"
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".boathook")
	}
	return ".boathook"
}
