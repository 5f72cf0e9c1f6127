package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/template"

	"github.com/coreos/go-systemd/v22/daemon"
)

// unitFiles are the files of `boathook systemd-unit`; each begins with its name. The sockets are systemd's, so that a restart of the
// service refuses nobody; a reload has it replace itself by the program file as it is then. KillMode=process leaves the processes of the local engine alone: apps outlive boathook.
const unitFiles = `# /etc/systemd/system/{{.Service}}
[Unit]
Description=boathook: {{.Description}}
After=network-online.target docker.service
Wants=network-online.target
Requires={{range $i, $s := .Sockets}}{{if $i}} {{end}}boathook-{{$s.Door}}.socket{{end}}

[Service]
Type=notify
NotifyAccess=all
ExecStart={{.Program}} {{.Verb}}{{range .Args}} {{.}}{{end}}
ExecReload=/bin/kill -USR2 $MAINPID
Restart=always
RestartSec=2
KillMode=process
TimeoutStopSec=120
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
{{- range .Sockets}}

# /etc/systemd/system/boathook-{{.Door}}.socket
[Socket]
ListenStream={{.Address}}
FileDescriptorName={{.Door}}
Service={{$.Service}}

[Install]
WantedBy=sockets.target
{{- end}}
`

// service is what unitFiles needs.
type service struct {
	Service, Description, Program, Verb string
	Args                                []string // quoted
	Sockets                             []unitSocket
}

// unitSocket is a door that systemd opens.
type unitSocket struct{ Door, Address string }

// systemdUnit is `boathook systemd-unit`: it prints the unit files for a serve with the same arguments or, after the word router, for a
// `boathook router`.
func systemdUnit(args []string, stdout, stderr io.Writer) int {
	u, err := serviceOf(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 2
	}
	if u.Program, err = os.Executable(); err == nil {
		u.Program = unitQuote(u.Program)
		err = template.Must(template.New("units").Parse(unitFiles)).Execute(stdout, u)
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	return 0
}

func serviceOf(args []string, usage io.Writer) (u service, err error) {
	var web *webConfig
	if len(args) > 0 && args[0] == "router" {
		args = args[1:]
		web, err = parseRouterConfig(args, usage)
		u = service{Service: "boathook-router.service", Description: "the router of the apps", Verb: "router"}
	} else {
		cfg, wrong := parseConfig(args, usage)
		if err = wrong; err == nil {
			web = &cfg.webConfig
			u = service{Service: "boathook.service", Description: "git push scalingo master, on this machine", Verb: "serve", Sockets: []unitSocket{{"ssh", unitAddress(cfg.sshAddr)}}}
		}
	}
	if err != nil {
		return u, err
	}
	for _, s := range []unitSocket{{"http", web.httpAddr}, {"https", web.httpsAddr}} {
		if s.Address != "" && s.Address != none {
			u.Sockets = append(u.Sockets, unitSocket{s.Door, unitAddress(s.Address)})
		}
	}
	for _, arg := range args {
		u.Args = append(u.Args, unitQuote(arg))
	}
	return u, nil
}

// unitQuote writes an argument for ExecStart (systemd.service(5), "Command lines"): in double quotes, with % and $ doubled.
func unitQuote(arg string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`, "\n", `\n`).Replace(arg) + `"`
}

// unitAddress writes an address for ListenStream (systemd.socket(5)), which takes a bare port for all addresses.
func unitAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && (host == "" || host == "0.0.0.0" || host == "::") {
		return port
	}
	return address
}

// notifySuccession tells systemd that this process is the service now, and not the one that has started it: before that one ends.
func (f *front) notifySuccession() {
	if _, err := daemon.SdNotify(false, fmt.Sprintf("MAINPID=%d", os.Getpid())); err != nil {
		f.log.Warn("systemd not told", "err", err)
	}
}

// notifyReady tells systemd, if it started this process, that the doors are open (sd_notify(3)).
func (f *front) notifyReady() {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		f.log.Warn("systemd not told", "err", err)
	}
}
