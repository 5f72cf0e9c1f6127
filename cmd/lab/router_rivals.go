package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// nginxConfig does what boathook's router does for a request: keeps connections on both sides, tells the app whom it serves, limits the body,
// gathers the lines of its log.
// Arguments: directory, workers, app, port, port with a log, port with TLS, port with many hosts, which are in a file.
const nginxConfig = `daemon off;
worker_processes %[2]d;
worker_rlimit_nofile 8192;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log;
events { worker_connections 4096; }
http {
	client_body_temp_path %[1]s/nginx-body; proxy_temp_path %[1]s/nginx-proxy; fastcgi_temp_path %[1]s/nginx-1; uwsgi_temp_path %[1]s/nginx-2; scgi_temp_path %[1]s/nginx-3;
	log_format json escape=json '{"time":"$time_iso8601","remote":"$remote_addr","host":"$host","method":"$request_method","path":"$uri","status":$status,'
		'"bytes":$body_bytes_sent,"duration":$request_time,"request":"$request_id"}';
	access_log off;
	server_tokens off;
	keepalive_timeout 75s;
	keepalive_requests 1000000000;
	client_max_body_size 75m;
	upstream app { server %[3]s; keepalive 1024; keepalive_requests 1000000000; }
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $http_host;
	proxy_set_header X-Real-IP $remote_addr;
	proxy_set_header X-Forwarded-For $remote_addr;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Forwarded-Port $server_port;
	proxy_set_header X-Request-ID $request_id;
	proxy_set_header X-Request-Start "t=$msec";
	server { listen %[4]s; location / { proxy_pass http://app; } }
	server { listen %[5]s; access_log %[1]s/nginx-access.log json buffer=32k flush=100ms; location / { proxy_pass http://app; } }
	server { listen %[6]s ssl; ssl_certificate %[1]s/certificate.pem; ssl_certificate_key %[1]s/key.pem; location / { proxy_pass http://app; } }
	server_names_hash_max_size 65536;
	server { listen %[7]s default_server; return 404; }
	server { listen %[7]s; include %[1]s/nginx-names; location / { proxy_pass http://app; } }
}
`

// haproxyConfig is the same for haproxy, with the same arguments.
const haproxyConfig = `global
	maxconn 4096
	nbthread %[2]d
	log stdout format raw local0
defaults
	mode http
	timeout connect 5s
	timeout client 75s
	timeout server 60s
	option http-no-delay
	http-reuse always
	default_backend app
frontend plain
	bind %[4]s
frontend logged
	bind %[5]s
	log global
	option httplog
frontend secure
	bind %[6]s ssl crt %[1]s/both.pem
frontend many
	bind %[7]s
	use_backend %%[req.hdr(host),lower,map(%[1]s/haproxy-names,none)]
backend none
	http-request deny deny_status 404
backend app
	server app %[3]s
	http-request set-header X-Real-IP %%[src]
	http-request set-header X-Forwarded-For %%[src]
	http-request set-header X-Forwarded-Proto https if { ssl_fc }
	http-request set-header X-Forwarded-Proto http unless { ssl_fc }
	http-request set-header X-Forwarded-Port %%[dst_port]
	http-request set-header X-Request-ID %%[uuid()]
	http-request set-header X-Request-Start t=%%[date()]
`

func (f *field) startNginx(ctx context.Context, r *rival) error {
	config, err := f.configure(r, "nginx", nginxConfig)
	if err != nil {
		return err
	}
	program, err := find(ctx, "nginx")
	if err == nil {
		r.process, err = f.start(r.name, program, "-p", f.dir, "-c", config)
	}
	return err
}

func (f *field) startHAProxy(ctx context.Context, r *rival) error {
	config, err := f.configure(r, "haproxy", haproxyConfig)
	if err != nil {
		return err
	}
	program, err := find(ctx, "haproxy")
	if err == nil {
		r.process, err = f.start(r.name, program, "-f", config)
	}
	return err
}

func (f *field) configure(r *rival, name, form string) (path string, err error) {
	path = filepath.Join(f.dir, name+".conf")
	names := "server_name " + strings.Join(hostNames(), " ") + ";\n"
	if name == "haproxy" {
		names = strings.Join(hostNames(), " app\n") + " app\n"
	}
	text := fmt.Sprintf(form, f.dir, runtime.NumCPU(), f.addr, r.ports[plainDoor], r.ports[loggedDoor], r.ports[secureDoor], r.ports[manyDoor])
	return path, errors.Join(os.WriteFile(filepath.Join(f.dir, name+"-names"), []byte(names), 0o644), os.WriteFile(path, []byte(text), 0o600))
}

// find returns where a Debian program is, and installs its package if it is nowhere.
func find(ctx context.Context, name string) (string, error) {
	for range 2 {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
		install(ctx, name)
	}
	return "", fmt.Errorf("lab router compares with %s, which is not installed and could not be: apt-get install %s", name, name)
}

// install does what it can; whether that was enough shows afterwards.
func install(ctx context.Context, name string) {
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	for _, args := range []string{"update -qq", "install -y -qq --no-install-recommends " + name} {
		_ = command(ctx, "", env, "apt-get", strings.Fields(args)...)
	}
}
