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
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/peterbourgon/ff/v3"

	"boathook/builder"
	"boathook/receive/deploy"
)

// config is every setting of `boathook serve`. Each can be given as a flag (-ssh-addr), in the environment
// (BOATHOOK_SSH_ADDR) or in the file named by -config (a line "ssh-addr 0.0.0.0:22"); the first of these wins.
type config struct {
	data     string
	sshAddr  string
	httpAddr string
	appsURL  string
	region   string
	engine   string
	logLevel string

	namespace  string
	stack      string
	stackImage list
	buildpacks list
	rewrite    list
	mirror     string
	network    string
	proxy      string
	caFile     string

	build    builder.Limits
	deploy   deploy.Limits
	packSize size

	sshConnections int
	sshPerIP       int
	sshIdle        time.Duration
}

// flags declares the settings on a new flag set.
func (c *config) flags(stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("boathook serve", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.String("config", "", "`file` of settings, one \"name value\" a line")
	fs.StringVar(&c.data, "data", defaultData(), "data `directory`: database, repositories, keys, admin socket")
	fs.StringVar(&c.sshAddr, "ssh-addr", "0.0.0.0:2222", "`address` of the SSH git server")
	fs.StringVar(&c.httpAddr, "http-addr", "0.0.0.0:8080", "`address` of the HTTP router")
	fs.StringVar(&c.appsURL, "apps-url", "", "`URL` under which apps are reached, NAME put before its host (default http://localhost:PORT of -http-addr)")
	fs.StringVar(&c.region, "region", "local", "`name` in $REGION_NAME")
	fs.StringVar(&c.engine, "engine", "auto", "docker, local, or auto: docker if an engine answers, else local")
	fs.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")

	fs.StringVar(&c.namespace, "namespace", "boathook", "`label` that tells this server's containers from those of another on the same engine")
	fs.StringVar(&c.stack, "stack", "scalingo-24", "`name` in $STACK")
	fs.Var(&c.stackImage, "stack-image", "base `image` of buildpack builds, may be repeated: the first that can be had; \"tiny\" makes a small one here (default scalingo/scalingo-24, heroku/heroku:24-build)")
	fs.Var(&c.buildpacks, "buildpack", "`NAME=URL` tried by detection, may be repeated; \"none\" for an empty list (default: the usual languages)")
	fs.Var(&c.rewrite, "buildpack-rewrite", "`PREFIX=PREFIX` replaced in buildpack URLs, may be repeated (mirrors)")
	fs.StringVar(&c.mirror, "debian-mirror", "http://deb.debian.org/debian", "`URL` for stack images made here")
	fs.StringVar(&c.network, "build-network", "", "engine `network` of builds (\"none\" for no network)")
	fs.StringVar(&c.proxy, "build-proxy", "", "HTTP proxy `URL` of builds")
	fs.StringVar(&c.caFile, "build-ca", "", "PEM `file` of an additional certificate authority for builds")

	fs.DurationVar(&c.build.Time, "build-time", 30*time.Minute, "longest build")
	bytesVar(fs, &c.build.ImageSize, "image-size", "2GiB", "largest image")
	bytesVar(fs, &c.build.SourceSize, "source-size", "300MB", "largest source tree, unpacked")
	fs.IntVar(&c.build.SourceFiles, "source-files", 200_000, "most files in a source tree")
	bytesVar(fs, &c.build.Memory, "build-memory", "2GiB", "memory of a build")
	bytesVar(fs, (*int64)(&c.packSize), "pack-size", "1GiB", "largest pack of a push")

	fs.IntVar(&c.deploy.Concurrent, "deployments", 10, "deployments at once per owner")
	fs.DurationVar(&c.deploy.Boot, "boot-time", 60*time.Second, "until every web container must accept TCP")
	fs.DurationVar(&c.deploy.Grace, "grace-time", 2*time.Second, "how long a type without a port must stay up")
	fs.DurationVar(&c.deploy.Hook, "hook-time", 20*time.Minute, "longest postdeploy hook")
	fs.DurationVar(&c.deploy.Drain, "drain-time", 30*time.Second, "for requests in flight on the old version")
	fs.DurationVar(&c.deploy.Stop, "stop-time", 30*time.Second, "between SIGTERM and SIGKILL")
	fs.IntVar(&c.deploy.Releases, "releases", 5, "successful releases kept per app")

	fs.IntVar(&c.sshConnections, "ssh-connections", 200, "SSH connections at once")
	fs.IntVar(&c.sshPerIP, "ssh-connections-per-ip", 50, "SSH connections at once from one address")
	fs.DurationVar(&c.sshIdle, "ssh-idle", 10*time.Minute, "after which a silent SSH connection is closed")
	return fs
}

// parseConfig reads flags, environment and file. flag.ErrHelp means that the usage has been printed.
func parseConfig(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	fs := c.flags(stderr)
	err := ff.Parse(fs, args, ff.WithEnvVarPrefix("BOATHOOK"), ff.WithConfigFileFlag("config"), ff.WithConfigFileParser(ff.PlainParser))
	if err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: settings are flags, see boathook serve -h", fs.Arg(0))
	}
	return c, c.check()
}

func (c *config) check() (err error) {
	if c.data, err = filepath.Abs(c.data); err != nil {
		return err
	}
	switch c.engine {
	case "auto", "docker", "local":
	default:
		return fmt.Errorf("-engine %q: choose docker, local or auto", c.engine)
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
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("-apps-url %q: give a URL like https://example.com", text)
	}
	return u, nil
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

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// pairs are the entries of a list of the form A=B.
func (l list) pairs(flagName string) ([][2]string, error) {
	var pairs [][2]string
	for _, entry := range l {
		a, b, ok := strings.Cut(entry, "=")
		if !ok || a == "" {
			return nil, fmt.Errorf("-%s %q: give it as NAME=VALUE", flagName, entry)
		}
		pairs = append(pairs, [2]string{a, b})
	}
	return pairs, nil
}

// size is a number of bytes, written like 2GiB or 300MB.
type size int64

func (s *size) String() string { return units.BytesSize(float64(*s)) }

func (s *size) Set(text string) error {
	parse := units.FromHumanSize
	if strings.Contains(strings.ToLower(text), "ib") {
		parse = units.RAMInBytes
	}
	n, err := parse(text)
	if err == nil && n <= 0 {
		err = errors.New("must be above zero")
	}
	*s = size(n)
	return err
}

func bytesVar(fs *flag.FlagSet, p *int64, name, value, usage string) {
	if err := (*size)(p).Set(value); err != nil {
		panic(err) // a default of ours
	}
	fs.Var((*size)(p), name, "`bytes`: "+usage)
}
