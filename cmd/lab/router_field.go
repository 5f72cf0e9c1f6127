package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// door is one of the ports of a rival.
type door int

const (
	plainDoor  door = iota
	loggedDoor      // with an access log
	secureDoor      // with TLS
	manyDoor        // with manyHosts hosts, which are asked in turn
	doors
)

// rivalNames are those that a run can have: boathook's router, the programs of others, a ReverseProxy tuned as kamal-proxy does it, and one as the
// standard library gives it.
var rivalNames = []string{"boathook", "nginx", "haproxy", "tuned ReverseProxy", "ReverseProxy"}

// rival is a proxy in a process of its own, in front of the field's app.
type rival struct {
	name    string
	ports   [doors]string // addresses
	process *exec.Cmd
}

// field is everybody who takes part.
type field struct {
	dir    string // temporary; certificate.pem and key.pem, and both in one file, are here
	self   string // this program
	app    *exec.Cmd
	addr   string // of the app
	rivals []*rival
}

func openField(ctx context.Context, dir string, run routerRun) (_ *field, err error) {
	f := &field{dir: dir}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if err := writeCertificate(dir); err != nil {
		return nil, err
	}
	if f.addr, err = freePort(); err != nil {
		return nil, err
	}
	if f.app, err = f.start("app", f.self, "router", "app", f.addr); err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Clone(rivalNames), func(name string) bool {
		return name != "boathook" && name != "nginx" && !slices.Contains(run.rivals, name)
	})
	for _, name := range names {
		if err := f.enter(ctx, name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// enter starts a rival and waits until it answers.
func (f *field) enter(ctx context.Context, name string) (err error) {
	r := &rival{name: name}
	for i := range r.ports {
		if r.ports[i], err = freePort(); err != nil {
			return err
		}
	}
	f.rivals = append(f.rivals, r)
	switch name {
	case "nginx":
		err = f.startNginx(ctx, r)
	case "haproxy":
		err = f.startHAProxy(ctx, r)
	default:
		r.process, err = f.start(name, append([]string{f.self, "router", "proxy", name, f.addr, f.dir}, r.ports[:]...)...)
	}
	if err != nil {
		return err
	}
	for _, addr := range r.ports {
		if err := await(ctx, addr); err != nil {
			said, _ := os.ReadFile(f.logOf(name))
			return fmt.Errorf("%s: %w\n%s", name, err, said)
		}
	}
	return nil
}

// start runs a program whose output goes to a file.
func (f *field) start(name string, command ...string) (*exec.Cmd, error) {
	log, err := os.Create(f.logOf(name))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, f.dir
	return cmd, cmd.Start()
}

func (f *field) logOf(name string) string { return filepath.Join(f.dir, name+".log") }

// close ends every process.
func (f *field) close() {
	for _, r := range f.rivals {
		end(r.process)
	}
	end(f.app)
}

func end(cmd *exec.Cmd) {
	if cmd == nil || cmd.Process == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	gone := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // how it ended does not matter any more
	gone.Stop()
}

func freePort() (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// await waits until something listens.
func await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on %s: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// writeCertificate makes a self-signed certificate of the kind that ACME gives.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: routerHost}, DNSNames: []string{routerHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return errors.Join(os.WriteFile(filepath.Join(dir, "certificate.pem"), certificate, 0o644), os.WriteFile(filepath.Join(dir, "key.pem"), secret, 0o600),
		os.WriteFile(filepath.Join(dir, "both.pem"), append(certificate, secret...), 0o600))
}
