package docker

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// TestEnsureWritesOnlyAfterAChange has the rules of a network namespace to itself, which ends with its thread.
func TestEnsureWritesOnlyAfterAChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: firewall rules and network namespaces are made")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: nobody else gets this thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f := newFence(Config{Namespace: "generation"})
		before := now(t)
		for _, step := range []struct {
			name   string
			change func() error
			writes bool
		}{
			{"the first", func() error { return nil }, true},
			{"nothing has changed", func() error { return nil }, false},
			{"the table was flushed", f.remove, true},
			{"nothing has changed again", func() error { return nil }, false},
			{"somebody has made a table", addTable, true},
		} {
			if err := step.change(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			changed := now(t)
			if err := f.ensure(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if wrote := now(t) != changed; wrote != step.writes {
				t.Errorf("%s: ensure wrote rules: %t", step.name, wrote)
			}
			if !stands(t, f.table()) {
				t.Errorf("%s: there is no table", step.name)
			}
		}
		if now(t) == before {
			t.Error("the generation stood still")
		}
	}()
	<-done
}

func now(t *testing.T) uint32 {
	t.Helper()
	g, err := generation()
	if err != nil {
		t.Error(err)
	}
	return g
}

func addTable() error {
	c := &nftables.Conn{}
	c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "of-somebody-else"})
	return c.Flush()
}

func stands(t *testing.T, table string) bool {
	t.Helper()
	all, err := (&nftables.Conn{}).ListTables()
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(all, func(one *nftables.Table) bool { return one.Name == table })
}
