package main

import (
	"fmt"
	"net"
	"slices"

	"github.com/coreos/go-systemd/v22/activation"
)

// doors are the names of the sockets for the world.
var doors = []string{"ssh", "http", "https", "metrics"}

// inherited are listening sockets that were open before this process, by the name of the door: those that systemd holds for this
// service (sd_listen_fds(3)), whose units give them the name by FileDescriptorName, or those of the boathook that this one replaces. As
// they stay open, a client that comes while boathook restarts waits, and is not refused.
type inherited map[string][]net.Listener

// activated are the sockets of systemd; there may be none.
func activated() (inherited, error) {
	all, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	for name, listeners := range all {
		if !slices.Contains(doors, name) || len(listeners) != 1 {
			return nil, fmt.Errorf("systemd passes %d sockets named %q: give one FileDescriptorName=ssh and one FileDescriptorName=http, as 'boathook systemd-unit' prints", len(listeners), name)
		}
	}
	return all, nil
}

// listen opens the address, or takes the inherited socket of that name; then the address does not count.
func (i inherited) listen(name, address string) (net.Listener, error) {
	if held := i[name]; held != nil {
		return held[0], nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: choose another address with -%s-addr", name, err, name)
	}
	return l, nil
}
