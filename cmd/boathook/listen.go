package main

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// inherited are the listening sockets that systemd holds for this service (sd_listen_fds(3)), by the name that their unit gives
// them (FileDescriptorName=ssh or http). As systemd keeps them open, a client that comes while boathook restarts waits, and is not refused.
type inherited map[string][]net.Listener

// inherit takes the sockets from the environment, once; there are none if systemd has passed none.
func inherit() (inherited, error) {
	all, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("sockets of systemd: %w", err)
	}
	for name, listeners := range all {
		if name != "ssh" && name != "http" || len(listeners) != 1 {
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
