package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// reservations keep the port of a container for one other container of its app, a hook that has a look at it, while that one exists.
//
// What passes between two ports of a bridge never leaves the bridge, and need not come by the machine's routing, where the fence stands. So each
// reservation is a table of the family bridge, named after the container that it is for: the kernel says what there is, whoever made it.
// Both are known by their hardware addresses, which hold for IPv6 too. The hook is given its one before it is made; without a capability nothing
// in a container can take another's.
type reservations struct {
	namespace string
	log       *slog.Logger
	off       bool // no rules can be made here; set before anything is started

	mu   sync.Mutex      // guards held
	held map[string]bool // by the short id of the container
}

// reservation lets nobody but the machine and guest through to a port of host.
type reservation struct {
	guest, host net.HardwareAddr
	port        uint16
}

// shortID is the beginning of a container's id, which names it on its engine.
var shortID = regexp.MustCompile(`^[0-9a-f]{12}`)

// table is the name of a container's table.
func (r *reservations) table(short string) string { return "boathook-" + r.namespace + "-" + short }

// open takes over the reservations of an earlier boathook, and ends those of containers that are gone. there asks which there are.
func (r *reservations) open(there func() (map[string]bool, error)) error {
	if r.off {
		return nil
	}
	names, err := bridgeTables()
	if err != nil {
		return err
	}
	var held []string
	for _, name := range names {
		if short, ours := strings.CutPrefix(name, r.table("")); ours && shortID.FindString(short) == short {
			r.note(short, true)
			held = append(held, short)
		}
	}
	if len(held) == 0 {
		return nil
	}
	exists, err := there()
	if err != nil {
		return err
	}
	for _, short := range held {
		if !exists[short] {
			r.end(short)
		}
	}
	return nil
}

// note remembers whether there is a reservation for a container, and tells whether there was.
func (r *reservations) note(short string, held bool) (before bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before = r.held[short]
	if held {
		r.held[short] = true
	} else {
		delete(r.held, short)
	}
	return before
}

// hold lasts until end. That the kernel does not take the rule keeps nothing from running, as with the fence.
func (r *reservations) hold(id string, one reservation) {
	short := shortID.FindString(id)
	r.note(short, true)
	if err := one.put(r.table(short)); err != nil {
		r.log.Warn("other containers of the app reach its new version while the hook looks at it", "err", err)
		r.end(short) // whether the kernel has taken it is not certain
	}
}

// end is for a container that is gone, and does nothing if nothing was kept for it.
func (r *reservations) end(id string) {
	short := shortID.FindString(id)
	if !r.note(short, false) {
		return
	}
	if err := removeBridgeTable(r.table(short)); err != nil {
		r.log.Warn("rule for a hook not removed", "table", r.table(short), "err", err)
	}
}

// reserve keeps what b asks for for the container of this id, before it starts. There is nothing to keep of one that has ended.
func (e *Engine) reserve(ctx context.Context, b blueprint, id string) error {
	if b.guest == nil {
		return nil
	}
	got, err := e.client.ContainerInspect(ctx, b.spec.Reserve)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return wrap(ctx, "inspect "+b.spec.Reserve, err)
	}
	p := readLabels(got.Config.Labels)
	if p.App != b.spec.App || got.Config.Labels[labelNamespace] != e.cfg.Namespace {
		return fmt.Errorf("reserve %s for %s: it is not of this app", p.Group, b.spec.Group)
	}
	for _, endpoint := range got.NetworkSettings.Networks {
		host, err := net.ParseMAC(endpoint.MacAddress)
		port, wrong := strconv.ParseUint(p.port, 10, 16)
		if err == nil && wrong == nil {
			e.networks.reservations.hold(id, reservation{guest: b.guest, host: host, port: uint16(port)})
		}
	}
	return nil
}

// newHardwareAddr is locally administered and of one station (IEEE 802, 8.2), else random.
func newHardwareAddr() net.HardwareAddr {
	addr := make(net.HardwareAddr, 6)
	_, _ = rand.Read(addr) // never fails
	addr[0] = addr[0]&^1 | 2
	return addr
}
