package main

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"boathook/router"
)

// webConfig is the settings of who has the router: boathook serve, or boathook router.
type webConfig struct {
	data     string
	logLevel string
	httpAddr string
	appsURL  string

	httpsAddr  string
	acme       bool
	acmeEmail  string
	acmeCA     string
	acmeCARoot string
	acmeRoots  *x509.CertPool // in the file acmeCARoot; nil: those of the system

	metricsAddr     string
	accessLog       string
	accessLogSample int

	proxyProtocol  bool
	trustForwarded networks
}

// declare declares all settings but http-addr.
func (c *webConfig) declare(fs *flag.FlagSet) {
	fs.SetOutput(io.Discard)
	fs.String("config", "", "`file` of settings, one \"name value\" a line")
	fs.StringVar(&c.data, "data", defaultData(), "data `directory`: database, repositories, keys, admin socket")
	choiceVar(fs, &c.logLevel, "log-level", "info debug warn error", "`level`: debug, info, warn or error")
	fs.Var((*link)(&c.appsURL), "apps-url", "`URL` under which apps are reached, NAME put before its host (default http://localhost:PORT of -http-addr)")
	addressVar(fs, &c.httpsAddr, "https-addr", "", "`address` of the router for HTTPS, e.g. 0.0.0.0:443 (default none)")
	fs.BoolVar(&c.acme, "acme", false, "ask an authority for the certificates of the apps' hosts, by ACME: you accept its terms by that")
	fs.StringVar(&c.acmeEmail, "acme-email", "", "`address` to which the authority may write")
	linkVar(fs, &c.acmeCA, "acme-ca", router.LetsEncrypt, "directory `URL` of the authority")
	fs.StringVar(&c.acmeCARoot, "acme-ca-root", "", "PEM `file` of who certifies the authority's server, for one of your own")
	addressVar(fs, &c.metricsAddr, "metrics-addr", "", "`address` of GET /metrics for Prometheus, e.g. 127.0.0.1:9100 (default none)")
	fs.StringVar(&c.accessLog, "access-log", "", "`file` of requests, a JSON object a line, renamed at 100 MB with four former ones kept (default none)")
	countVar(fs, &c.accessLogSample, "access-log-sample", 1, "of so many requests one is in the access log; those answered by 500 and above all are")
	fs.BoolVar(&c.proxyProtocol, "proxy-protocol", false, "expect each HTTP connection to begin with a PROXY header, and take the client's address from it")
	fs.Var(&c.trustForwarded, "trust-forwarded", "`networks` of proxies of one's own, whose X-Forwarded-* and X-Real-IP are kept, e.g. 192.0.2.0/24, or all (default none)")
}

// checkWeb finds what is wrong with settings that are well formed.
func (c *webConfig) checkWeb() (err error) {
	if c.data, err = filepath.Abs(c.data); err != nil {
		return err
	}
	if c.acme && c.httpsAddr == "" {
		return errors.New("acme: certificates are of use with HTTPS only: set https-addr too, e.g. to 0.0.0.0:443")
	}
	if c.acme && !strings.HasPrefix(c.acmeCA, "https://") {
		return fmt.Errorf("acme-ca: an authority is asked by HTTPS: %s has to begin with https://", c.acmeCA)
	}
	if c.acmeCARoot == "" {
		return nil
	}
	text, err := os.ReadFile(c.acmeCARoot)
	if err != nil {
		return fmt.Errorf("acme-ca-root: %w: name a PEM file that boathook may read", err)
	}
	c.acmeRoots = x509.NewCertPool()
	if !c.acmeRoots.AppendCertsFromPEM(text) {
		return fmt.Errorf("acme-ca-root: %s has no certificate in PEM: name a file that begins with -----BEGIN CERTIFICATE-----", c.acmeCARoot)
	}
	return nil
}

// logger writes what the level asks for.
func (c *webConfig) logger(to io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		panic(err) // the flag has checked it
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

// router is the settings as a router takes them.
func (c *webConfig) router(log *slog.Logger) router.Config {
	return router.Config{Log: log, ProxyProtocol: c.proxyProtocol, Forwarders: c.trustForwarded, TLS: c.tls()}
}

// tls is what the router needs for HTTPS; nil without it.
func (c *webConfig) tls() *router.TLS {
	if c.httpsAddr == "" {
		return nil
	}
	secured := &router.TLS{Dir: certificates(c.data), Port: c.httpsPort()}
	if c.acme {
		secured.ACME = &router.ACME{Directory: c.acmeCA, Roots: c.acmeRoots, Email: c.acmeEmail}
	}
	return secured
}

// httpsPort is where clients reach HTTPS: what apps-url says, since ports may be forwarded, else where the router listens.
func (c *webConfig) httpsPort() int {
	text := "443"
	if at, err := url.Parse(c.appsURL); err == nil && at.Scheme == "https" {
		text = at.Port()
	} else if _, own, err := net.SplitHostPort(c.httpsAddr); err == nil {
		text = own
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 443 // an apps-url without port
	}
	return port
}
