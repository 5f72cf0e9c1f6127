package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// settingsFile writes a file for -config.
func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boathook.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfigPrecedence gives settings of every kind in several places at once: a flag is stronger than the environment, and that than
// the file.
func TestConfigPrecedence(t *testing.T) {
	file := settingsFile(t, `# the settings of this test
data /from/file
region file          # three places have it
boot-time 3m
image-size 3GiB
deployments 3
ssh-addr 127.0.0.3:3
apps-url http://file.example.com
engine local
stack-image file/one
stack-image file/two
buildpack none
log-level warn
`)
	for name, value := range map[string]string{
		"BOATHOOK_CONFIG": file, "BOATHOOK_REGION": "environment", "BOATHOOK_BOOT_TIME": "2m", "BOATHOOK_IMAGE_SIZE": "2GB",
		"BOATHOOK_DEPLOYMENTS": "2", "BOATHOOK_SSH_ADDR": "127.0.0.2:2", "BOATHOOK_APPS_URL": "http://environment.example.com",
		"BOATHOOK_STACK_IMAGE": "environment/one environment/two", "BOATHOOK_ENGINE": "docker", "BOATHOOK_LOG_LEVEL": "",
	} {
		t.Setenv(name, value)
	}
	c, err := parseConfig([]string{"-region", "flag", "-boot-time=1m", "-image-size", "1GiB", "-deployments", "1", "-stack-image", "flag/one"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"region": c.region, "boot-time": c.deploy.Boot, "image-size": c.build.ImageSize, "deployments": c.deploy.Concurrent,
		"stack-image": c.stackImage.String(), "ssh-addr": c.sshAddr, "apps-url": c.appsURL, "engine": c.engine,
		"data": c.data, "buildpack": c.buildpacks.String(), "log-level": c.logLevel, "http-addr": c.httpAddr, "hook-time": c.deploy.Hook,
	}
	want := map[string]any{
		// by flag
		"region": "flag", "boot-time": time.Minute, "image-size": int64(1 << 30), "deployments": 1, "stack-image": "flag/one",
		// by environment
		"ssh-addr": "127.0.0.2:2", "apps-url": "http://environment.example.com", "engine": "docker",
		// by file
		"data": "/from/file", "buildpack": "none", "log-level": "warn",
		// by default
		"http-addr": "0.0.0.0:8080", "hook-time": 20 * time.Minute,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

// TestConfigLists gives a setting of several entries in each of the ways.
func TestConfigLists(t *testing.T) {
	file := settingsFile(t, "stack-image one\nstack-image two\n")
	for name, args := range map[string][]string{
		"file":  {"-config", file},
		"flags": {"-stack-image", "one", "-stack-image", "two"},
		"words": {"-stack-image", "one two"},
	} {
		c, err := parseConfig(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list{"one", "two"}, c.stackImage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestConfigMistakes makes each kind of mistake by flag, by environment and by file; the error names the place and the cure.
func TestConfigMistakes(t *testing.T) {
	for _, row := range []struct{ name, value, cure string }{
		{"boot-time", "5", "give a duration above zero, like 90s or 20m"},
		{"hook-time", "-1m", "give a duration above zero, like 90s or 20m"},
		{"deployments", "many", "give a number above zero"},
		{"releases", "0", "give a number above zero"},
		{"image-size", "big", "give a size above zero, like 300MB or 2GiB"},
		{"pack-size", "0", "give a size above zero, like 300MB or 2GiB"},
		{"ssh-addr", "2222", "give HOST:PORT, like 0.0.0.0:2222"},
		{"http-addr", "127.0.0.1:99999", "give HOST:PORT, like 0.0.0.0:2222"},
		{"https-addr", "443", "give HOST:PORT, like 0.0.0.0:2222"},
		{"acme-ca", "example.com", "give a URL, like https://example.com"},
		{"apps-url", "example.com", "give a URL, like https://example.com"},
		{"apps-url", "ftp://example.com", "give a URL, like https://example.com"},
		{"build-proxy", "proxy:3128", "give a URL, like https://example.com"},
		{"engine", "podman", "choose one of auto, docker, local"},
		{"trust-forwarded", "true", "give addresses or networks, like 192.0.2.1 or 2001:db8::/32, or all"},
		{"log-level", "loud", "choose one of info, debug, warn, error"},
	} {
		t.Run(row.name+" "+row.value, func(t *testing.T) {
			wrong := "invalid value \"" + row.value + "\" for "
			_, err := parseConfig([]string{"-" + row.name, row.value}, io.Discard)
			says(t, err, wrong+"flag -"+row.name+": "+row.cure)

			file := settingsFile(t, row.name+" "+row.value+"\n")
			_, err = parseConfig([]string{"-config", file}, io.Discard)
			says(t, err, "settings file "+file+": "+wrong+row.name+": "+row.cure)

			variable := "BOATHOOK_" + strings.ToUpper(strings.ReplaceAll(row.name, "-", "_"))
			t.Setenv(variable, row.value)
			_, err = parseConfig(nil, io.Discard)
			says(t, err, wrong+"the environment variable "+variable+": "+row.cure)
		})
	}
}

// TestConfigUnknown names settings, files and entries that there are not.
func TestConfigUnknown(t *testing.T) {
	file := settingsFile(t, "nonsense 1\n")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "flag provided but not defined: -nonsense; see 'boathook serve -h'"},
		{[]string{"-data"}, "flag needs an argument: -data; see 'boathook serve -h'"},
		{[]string{"nonsense"}, `unexpected argument "nonsense": settings are flags, see 'boathook serve -h'`},
		{[]string{"-config", file}, "settings file " + file + `: there is no setting "nonsense"; see 'boathook serve -h'`},
		{[]string{"-config", "/no/such/file"}, "settings file: open /no/such/file: no such file or directory: make it, or leave -config out"},
		{[]string{"-build-ca", "/no/such/file"}, "build-ca: open /no/such/file: no such file or directory: name a PEM file that boathook may read"},
		{[]string{"-buildpack", "go"}, `invalid value "go" for buildpack: give it as NAME=VALUE`},
		{[]string{"-buildpack-rewrite", "go"}, `invalid value "go" for buildpack-rewrite: give it as NAME=VALUE`},
	} {
		_, err := parseConfig(row.args, io.Discard)
		says(t, err, row.want)
	}
}

// TestConfigHelp asks for the list of settings; the defaults are written as a person would write them.
func TestConfigHelp(t *testing.T) {
	var out strings.Builder
	if _, err := parseConfig([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("error %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{
		"  -boot-time duration\n", "(default 1m0s)", "  -source-size bytes\n", "(default 300MB)", "(default 2GiB)", "  -engine kind\n", "(default auto)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the usage has no %q:\n%s", want, out.String())
		}
	}
}

// TestConfigApart leaves the routing to `boathook router`, and gives it the settings that it has.
func TestConfigApart(t *testing.T) {
	for _, row := range []struct{ args, wrong string }{
		{"-http-addr none", "http-addr: with none nothing here says where apps are reached: set apps-url, to where 'boathook router' has its port"},
		{"-http-addr none -apps-url http://example.com -https-addr :443", "https-addr: with http-addr none this is for 'boathook router': give it there"},
		{"-http-addr none -apps-url http://example.com -access-log /tmp/log", "access-log: with http-addr none this is for 'boathook router': give it there"},
		{"-http-addr none -apps-url http://example.com -trust-forwarded all", "trust-forwarded: with http-addr none this is for 'boathook router': give it there"},
		{"-http-addr none -apps-url http://example.com -acme", "acme: with http-addr none this is for 'boathook router': give it there"},
		{"-http-addr none -apps-url http://example.com -proxy-protocol -access-log /tmp/log -https-addr :443", "https-addr: with http-addr none"},
		{"-http-addr none -apps-url http://example.com -proxy-protocol", "proxy-protocol: with http-addr none this is for 'boathook router': give it there"},
	} {
		_, err := parseConfig(strings.Fields(row.args), io.Discard)
		says(t, err, row.wrong)
	}
	if c, err := parseConfig(strings.Fields("-http-addr none -apps-url http://example.com"), io.Discard); err != nil || !c.apart() {
		t.Errorf("%+v, %v", c, err)
	}
	c, err := parseRouterConfig(strings.Fields("-data /srv/boat -http-addr :80 -https-addr :443 -acme"), io.Discard)
	if err != nil || c.data != "/srv/boat" || c.httpAddr != ":80" || c.tls().Dir != "/srv/boat/certificates" || c.tls().ACME == nil {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = parseRouterConfig([]string{"-ssh-addr", ":22"}, io.Discard)
	says(t, err, "flag provided but not defined: -ssh-addr; see 'boathook router -h'")
	_, err = parseRouterConfig([]string{"-http-addr", "none"}, io.Discard)
	says(t, err, `invalid value "none" for flag -http-addr: give HOST:PORT`)
}

// says compares the first sentence of an error; what follows it is no part of the promise.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

// TestConfigTLS refuses settings that do not go together, and tells where clients reach HTTPS.
func TestConfigTLS(t *testing.T) {
	empty := settingsFile(t, "no certificate")
	for _, row := range []struct{ args, wrong string }{
		{"-acme", "acme: certificates are of use with HTTPS only: set https-addr too, e.g. to 0.0.0.0:443"},
		{"-acme -https-addr :443 -acme-ca http://ca.example.com", "acme-ca: an authority is asked by HTTPS: http://ca.example.com has to begin with https://"},
		{"-acme-ca-root /nowhere", "acme-ca-root: open /nowhere: no such file or directory: name a PEM file that boathook may read"},
		{"-acme-ca-root " + empty, "acme-ca-root: " + empty + " has no certificate in PEM: name a file that begins with -----BEGIN CERTIFICATE-----"},
	} {
		_, err := parseConfig(strings.Fields(row.args), io.Discard)
		says(t, err, row.wrong)
	}
	for _, row := range []struct {
		args string
		port int
	}{
		{"-https-addr :8443", 8443},
		{"-https-addr :8443 -apps-url http://example.com:8080", 8443},
		{"-https-addr :8443 -apps-url https://example.com", 443},
		{"-https-addr :8443 -apps-url https://example.com:4443", 4443},
	} {
		c, err := parseConfig(strings.Fields(row.args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.tls(); got.Port != row.port || got.ACME != nil || got.Dir != filepath.Join(c.data, "certificates") {
			t.Errorf("%s: %+v", row.args, got)
		}
	}
	c, err := parseConfig([]string{"-https-addr", ":443", "-acme"}, io.Discard)
	if err != nil || c.tls().ACME.Directory != router.LetsEncrypt {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = parseConfig(nil, io.Discard); err != nil || c.tls() != nil {
		t.Errorf("HTTPS without being asked for: %v", err)
	}
}
