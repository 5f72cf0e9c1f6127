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
	data     string
	sshAddr  string
	httpAddr string

	metricsAddr     string
	accessLog       string
	accessLogSample int
	appsURL         string
	region          string
	engine          string
	logLevel        string

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

	proxyProtocol  bool
	trustForwarded bool

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
	fs.SetOutput(io.Discard)
	fs.String("config", "", "`file` of settings, one \"name value\" a line")
	fs.StringVar(&c.data, "data", defaultData(), "data `directory`: database, repositories, keys, admin socket")
	addressVar(fs, &c.sshAddr, "ssh-addr", "0.0.0.0:2222", "`address` of the SSH git server")
	addressVar(fs, &c.httpAddr, "http-addr", "0.0.0.0:8080", "`address` of the HTTP router")
	addressVar(fs, &c.metricsAddr, "metrics-addr", "", "`address` of GET /metrics for Prometheus, e.g. 127.0.0.1:9100 (default none)")
	fs.StringVar(&c.accessLog, "access-log", "", "`file` of requests, a JSON object a line, renamed at 100 MB with four former ones kept (default none)")
	countVar(fs, &c.accessLogSample, "access-log-sample", 1, "of so many requests one is in the access log; those answered by 500 and above all are")
	fs.Var((*link)(&c.appsURL), "apps-url", "`URL` under which apps are reached, NAME put before its host (default http://localhost:PORT of -http-addr)")
	fs.StringVar(&c.region, "region", "local", "`name` in $REGION_NAME")
	choiceVar(fs, &c.engine, "engine", "auto docker local", "`kind` of engine: docker, local, or auto, which is docker if an engine answers and else local")
	choiceVar(fs, &c.logLevel, "log-level", "info debug warn error", "`level`: debug, info, warn or error")

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
	bytesVar(fs, &c.deploy.DiskFree, "disk-free", "1GiB", "free space without which no deployment begins")

	fs.BoolVar(&c.proxyProtocol, "proxy-protocol", false, "expect each HTTP connection to begin with a PROXY header, and take the client's address from it")
	fs.BoolVar(&c.trustForwarded, "trust-forwarded", false, "keep the X-Forwarded-* and X-Real-IP of requests: only where every client is a proxy of one's own")

	countVar(fs, &c.sshConnections, "ssh-connections", 200, "SSH connections at once")
	countVar(fs, &c.sshPerIP, "ssh-connections-per-ip", 50, "SSH connections at once from one address")
	durationVar(fs, &c.sshIdle, "ssh-idle", 10*time.Minute, "after which a silent SSH connection is closed")
	fs.StringVar(&c.userCA, "user-ca", "", "`file` of public keys, one a line: SSH certificates that one of them signed for a user's name log that user in")
	durationVar(fs, &c.finish, "finish-time", 10*time.Minute, "for deployments under way when another boathook replaces this one (SIGUSR2)")
	return fs
}

// parseConfig reads the settings from flags, environment and file. flag.ErrHelp means that the usage has been printed on usage.
func parseConfig(args []string, usage io.Writer) (*config, error) {
	c := &config{}
	fs := c.flags()
	err := readSettings(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(usage)
		fmt.Fprint(usage, settingsHead)
		fs.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	return c, c.check()
}

const settingsHead = `The settings of boathook serve. Each is a flag (-ssh-addr 0.0.0.0:22), an environment variable
(BOATHOOK_SSH_ADDR=0.0.0.0:22) or a line of the file named by -config (ssh-addr 0.0.0.0:22);
the first of these wins.

`

// check finds what is wrong with settings that are well formed.
func (c *config) check() (err error) {
	if c.data, err = filepath.Abs(c.data); err != nil {
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

// apps is the parsed -apps-url; router is where the router listens, for the default.
func (c *config) apps(router net.Addr) (*url.URL, error) {
	text := c.appsURL
	if text == "" {
		_, port, err := net.SplitHostPort(router.String())
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
