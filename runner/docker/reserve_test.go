package docker_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/nftables"

	"boathook/runner"
	"boathook/runner/docker"
)

// asking prints a line for each line that it reads: 0 if the address accepts a connection.
func asking(addr string) string {
	host, port, _ := strings.Cut(addr, ":")
	return `while read -r; do nc -w 2 ` + host + ` ` + port + ` </dev/null >/dev/null 2>&1; echo $?; done`
}

// lines is a one-off that is asked, and answers, in lines.
type lines struct {
	t     *testing.T
	in    io.WriteCloser
	out   *io.PipeReader
	ended sync.WaitGroup
}

// talk runs one until the test is over, or it is hung up.
func talk(t *testing.T, e *docker.Engine, s runner.Spec) *lines {
	t.Helper()
	theirs, in := io.Pipe()
	out, ours := io.Pipe()
	l := &lines{t: t, in: in, out: out}
	l.ended.Go(func() {
		exit, err := e.Run(context.WithoutCancel(t.Context()), s, runner.IO{In: theirs, Out: ours}) // it ends with its input
		_, _ = ours.CloseWithError(err), theirs.CloseWithError(err)                                 // neither fails
		if err != nil || exit.Code != 0 {
			t.Errorf("%s: %v, %v", s.Group, exit, err)
		}
	})
	t.Cleanup(l.hangUp)
	return l
}

func (l *lines) hangUp() {
	_, _ = l.in.Close(), l.out.Close() // neither fails
	l.ended.Wait()
}

// ask returns the next line.
func (l *lines) ask() string {
	l.t.Helper()
	if _, err := io.WriteString(l.in, "\n"); err != nil {
		l.t.Fatal(err)
	}
	var line bytes.Buffer
	for one := make([]byte, 1); ; line.Write(one) {
		if _, err := l.out.Read(one); err != nil {
			l.t.Fatalf("after %q: %v", &line, err)
		}
		if one[0] == '\n' {
			return line.String()
		}
	}
}

// TestReserve has a hook look at a container that no other of its app gets through to meanwhile, until
// it has ended, and then nothing is left of it. This machine gets through all the time.
func TestReserve(t *testing.T) {
	needRoot(t)
	e, namespace := scene(t, connect(t))
	web := spec("app", "web", `httpd -f -p "$PORT"`) // accepts all the time: who is not let in waits in vain
	web.Port = true
	started, err := e.Start(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	addr := started[0].Addr
	other := talk(t, e, spec("app", "run", asking(addr)))
	poll(t, "another container of the app reaches it", func() bool { return other.ask() == "0" })

	hook := spec("app", "postdeploy", asking(addr))
	hook.Reserve = started[0].ID
	guest := talk(t, e, hook)
	poll(t, "the hook reaches it", func() bool { return guest.ask() == "0" })
	if other.ask() == "0" {
		t.Error("another container of the app reaches it as well")
	}
	poll(t, "this machine reaches it", func() bool { return dial(addr) == nil })
	if got := bridgeTables(t, namespace); len(got) != 1 {
		t.Errorf("tables %q", got)
	}
	guest.hangUp()
	poll(t, "the other one reaches it again", func() bool { return other.ask() == "0" })
	if got := bridgeTables(t, namespace); len(got) != 0 {
		t.Errorf("tables %q are left", got)
	}
}

// TestReserveOfTheDead is what a boathook leaves that died while a hook ran, or whose hook's container somebody has removed meanwhile.
func TestReserveOfTheDead(t *testing.T) {
	needRoot(t)
	c := connect(t)
	e, namespace := scene(t, c)
	web := spec("app", "web", "sleep 600")
	web.Port = true
	started, err := e.Start(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	nft := &nftables.Conn{}
	there, gone, others := started[0].ID[:12], "0123456789ab", "boathook-"+namespace+"-b-0123456789ab"
	for _, name := range []string{"boathook-" + namespace + "-" + there, "boathook-" + namespace + "-" + gone, others} {
		nft.AddTable(&nftables.Table{Family: nftables.TableFamilyBridge, Name: name})
	}
	if err := nft.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nft.DelTable(&nftables.Table{Family: nftables.TableFamilyBridge, Name: others})
		if err := nft.Flush(); err != nil {
			t.Error(err)
		}
	})
	next, err := docker.New(t.Context(), docker.Config{Client: c, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	if got := bridgeTables(t, namespace); len(got) != 2 || got[0] == "boathook-"+namespace+"-"+gone || got[1] == "boathook-"+namespace+"-"+gone {
		t.Errorf("when the next one starts there are the tables %q", got)
	}
	if err := next.Remove(t.Context(), runner.Selector{}, 0); err != nil {
		t.Fatal(err)
	}
	if got := bridgeTables(t, namespace); len(got) != 1 || got[0] != others {
		t.Errorf("when the containers are removed there are the tables %q", got)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// bridgeTables are those of a namespace, and of others whose names begin with it.
func bridgeTables(t *testing.T, namespace string) (names []string) {
	t.Helper()
	tables, err := (&nftables.Conn{}).ListTablesOfFamily(nftables.TableFamilyBridge)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if strings.HasPrefix(table.Name, "boathook-"+namespace) {
			names = append(names, table.Name)
		}
	}
	return names
}
