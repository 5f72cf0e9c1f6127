package main

import (
	"context"
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
const unitFiles = `# /etc/systemd/system/boathook.service
[Unit]
Description=boathook: git push scalingo master, on this machine
After=network-online.target docker.service
Wants=network-online.target
Requires=boathook-ssh.socket boathook-http.socket

[Service]
Type=notify
NotifyAccess=all
ExecStart={{.Program}} serve{{range .Args}} {{.}}{{end}}
ExecReload=/bin/kill -USR2 $MAINPID
Restart=always
RestartSec=2
KillMode=process
TimeoutStopSec=120
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/boathook-ssh.socket
[Socket]
ListenStream={{.SSH}}
FileDescriptorName=ssh
Service=boathook.service

[Install]
WantedBy=sockets.target

# /etc/systemd/system/boathook-http.socket
[Socket]
ListenStream={{.HTTP}}
FileDescriptorName=http
Service=boathook.service

[Install]
WantedBy=sockets.target
`

// systemdUnit is `boathook systemd-unit`: it prints the unit files for a serve with the same arguments.
func systemdUnit(args []string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 2
	}
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = unitQuote(arg)
	}
	files := template.Must(template.New("units").Parse(unitFiles))
	err = files.Execute(stdout, map[string]any{"Program": unitQuote(program), "Args": quoted, "SSH": unitAddress(cfg.sshAddr), "HTTP": unitAddress(cfg.httpAddr)})
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	return 0
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
func (s *server) notifySuccession() {
	if _, err := daemon.SdNotify(false, fmt.Sprintf("MAINPID=%d", os.Getpid())); err != nil {
		s.log.Warn("systemd not told", "err", err)
	}
}

// notifyReady tells systemd, if it started this process, that the doors are open (sd_notify(3)).
func (s *server) notifyReady(context.Context) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		s.log.Warn("systemd not told", "err", err)
	}
}
