package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSocketActivation passes listening sockets as systemd does, ends boathook, asks while none runs, and starts the next one: the
// request waits and is answered.
func TestSocketActivation(t *testing.T) {
	var files []*os.File
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files, addresses = append(files, file), append(addresses, l.Addr().String())
	}
	notify := filepath.Join(t.TempDir(), "notify")
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	start := func() (stop func()) {
		// LISTEN_PID has to be the process that reads it, which only that process knows: the shell that becomes it.
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, filepath.Join(filepath.Dir(data), "boathook"),
			"serve", "-data", data, "-engine", "local", "-ssh-addr", "192.0.2.1:1", "-http-addr", "192.0.2.1:1", "-apps-url", "http://example.com")
		cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=ssh:http", "NOTIFY_SOCKET="+notify)
		cmd.ExtraFiles = files
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := told.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		word := make([]byte, 64)
		n, err := told.Read(word)
		if err != nil || string(word[:n]) != "READY=1" {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("not ready: %q, %v\n%s", word[:n], err, &log)
		}
		return func() {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, &log)
			}
		}
	}
	if err := os.Symlink(self, filepath.Join(filepath.Dir(data), "boathook")); err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		resp, err := http.Get("http://" + addresses[1])
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		return fmt.Sprint(resp.StatusCode)
	}

	stop := start()
	if got := ask(); got != "404" {
		t.Errorf("a request: %s", got)
	}
	banner := make([]byte, 13)
	if ssh, err := net.Dial("tcp", addresses[0]); err != nil {
		t.Error(err)
	} else {
		if _, err := ssh.Read(banner); err != nil || !strings.HasPrefix(string(banner), "SSH-2.0-boat") {
			t.Errorf("ssh says %q, %v", banner, err)
		}
		ssh.Close()
	}
	stop()

	conn, err := net.Dial("tcp", addresses[1]) // accepted by nobody yet, refused by nobody either
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: nobody.example.com\r\nConnection: close\r\n\r\n")
	stop = start()
	defer stop()
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404") {
		t.Errorf("a request made while no boathook ran: %q, %v", answer, err)
	}
}

// The unit files name what was asked for, in systemd's own quoting.
func TestSystemdUnit(t *testing.T) {
	var out, complaint bytes.Buffer
	if code := run(t.Context(), []string{"systemd-unit", "-data", `/srv/100% "boat"`, "-ssh-addr", "192.0.2.1:22", "-https-addr", ":443"}, strings.NewReader(""), &out, &complaint); code != 0 {
		t.Fatalf("exit %d: %s", code, &complaint)
	}
	for _, want := range []string{
		` serve "-data" "/srv/100%% \"boat\"" "-ssh-addr" "192.0.2.1:22" "-https-addr" ":443"` + "\n", "ListenStream=192.0.2.1:22\nFileDescriptorName=ssh\n",
		"ListenStream=8080\nFileDescriptorName=http\n",
		"Requires=boathook-ssh.socket boathook-http.socket boathook-https.socket\n", "ListenStream=443\nFileDescriptorName=https\n", "Type=notify\n", "KillMode=process\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for _, row := range []struct{ args, want, not string }{
		{"-http-addr none -apps-url http://example.com", "Requires=boathook-ssh.socket\n", "FileDescriptorName=http"},
		{"router -https-addr :443", "Requires=boathook-http.socket boathook-https.socket\n", "FileDescriptorName=ssh"},
		{"router", " router\nExecReload", "FileDescriptorName=https"},
		{"router", "FileDescriptorName=http\nService=boathook-router.service\n", "boathook.service"},
	} {
		out.Reset()
		if code := run(t.Context(), append([]string{"systemd-unit"}, strings.Fields(row.args)...), strings.NewReader(""), &out, &complaint); code != 0 {
			t.Errorf("%s: exit %d: %s", row.args, code, &complaint)
		}
		if !strings.Contains(out.String(), row.want) || strings.Contains(out.String(), row.not) {
			t.Errorf("%s: no %q, or a %q, in\n%s", row.args, row.want, row.not, &out)
		}
	}
	if code := run(t.Context(), []string{"systemd-unit", "-ssh-addr", "nonsense"}, strings.NewReader(""), &out, &complaint); code != 2 || complaint.Len() == 0 {
		t.Errorf("a bad setting: exit %d, %s", code, &complaint)
	}
}
